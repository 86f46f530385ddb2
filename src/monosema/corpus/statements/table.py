"""Every set of statements by name. To add one: a `Source`, and its line here.

Where a name is asked for, `package.module:Class` also names a source of your own.
"""

from importlib import import_module

from monosema.core.errors import ConfigError, unknown
from monosema.corpus.statements.animals import ANIMALS
from monosema.corpus.statements.arithmetic import Arithmetic
from monosema.corpus.statements.calendar import DAYS, MONTHS
from monosema.corpus.statements.capitals import CAPITALS
from monosema.corpus.statements.colours import COLOURS
from monosema.corpus.statements.comparisons import Comparisons
from monosema.corpus.statements.compounds import Compounds
from monosema.corpus.statements.elements import ELEMENTS
from monosema.corpus.statements.mixed import Mixed
from monosema.corpus.statements.negations import Negations
from monosema.corpus.statements.opposites import OPPOSITES
from monosema.corpus.statements.source import Source

FACTS = Mixed(
    {"capitals": CAPITALS, "elements": ELEMENTS, "animals": ANIMALS, "opposites": OPPOSITES},
    about="capitals, elements, animals and opposites, as many of each",
)

STATEMENTS: dict[str, Source] = {
    "comparisons": Comparisons(),
    "arithmetic": Arithmetic(),
    "negations": Negations(),
    "conjunctions": Compounds("and"),
    "disjunctions": Compounds("or", about="two comparisons joined by or"),
    "exclusives": Compounds("xor", about="either of two comparisons but not both"),
    "capitals": CAPITALS,
    "elements": ELEMENTS,
    "animals": ANIMALS,
    "colours": COLOURS,
    "opposites": OPPOSITES,
    "months": MONTHS,
    "days": DAYS,
    "facts": FACTS,
    # Most negations are comparisons without a "not", so that mixed needs no comparisons beside them.
    "mixed": Mixed(
        {"negations": Negations(every=4), "arithmetic": Arithmetic(), "facts": FACTS},
        about="comparisons (a quarter with not), arithmetic and facts, as many of each",
    ),
}


def source(name: str) -> Source:
    """The set called `name`, or one by the class that `package.module:Class` names.

    Raises ConfigError naming the nearest one.
    """
    if ":" in name:
        return _foreign(name)
    if name not in STATEMENTS:
        raise ConfigError(unknown("set of statements", name, STATEMENTS))
    return STATEMENTS[name]


def _foreign(name: str) -> Source:
    module, _, attribute = name.partition(":")
    try:
        found = vars(import_module(module))[attribute]
    except (ImportError, KeyError) as error:
        raise ConfigError(f"set of statements '{name}' cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Source)):
        raise ConfigError(f"'{name}' is not a Source: derive it from monosema.corpus.statements.Source")
    return found()
