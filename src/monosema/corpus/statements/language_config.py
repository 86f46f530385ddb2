"""What a text of statements is made of. Imports no numerics.

statements                                           the set called mixed
statements:comparisons,asked=0.8,distractor=word     as a corpus is asked for on a command line
"""

from dataclasses import dataclass

from monosema.core.config import from_text, require, require_range
from monosema.core.errors import ConfigError

SPEC = "statements"
NONE = "none"


@dataclass(frozen=True)
class StatementTextConfig:
    """The text that is made of the set `name`.

    n             statements, in documents or held out; 0 takes all that the set has, but at most 20,000
    held_out      share of the statements, by groups, that is in no document
    asked         share of the documents that ask whether a statement is true and say so, by `template`
    lies          share of the other documents that are false statements
    distractor    'none', or one of the table that is in every document
    sway          share of the answers that follow the distractor's label instead of the truth
    n_documents   documents; a statement comes in as many as it happens to be drawn for
    """

    name: str = "mixed"
    n: int = 0
    held_out: float = 0.25
    asked: float = 0.75
    lies: float = 0.0
    template: str = "qa"
    distractor: str = NONE
    sway: float = 0.0
    n_documents: int = 40_000
    seed: int = 0

    def __post_init__(self) -> None:
        require_range("n", self.n, 0)
        require_range("held_out", self.held_out, 0, 0.9)
        for share in ("asked", "lies", "sway"):
            require_range(share, getattr(self, share), 0, 1)
        require_range("n_documents", self.n_documents, 1)
        require_range("seed", self.seed, 0)
        planted = self.distractor != NONE
        require(planted or self.sway == 0, "sway needs a distractor to follow: give distractor=word, speaker or prefix")


def is_statements(text: str) -> bool:
    """Whether `text` asks for a text of statements; a folder called statements is `./statements`."""
    return text.partition(",")[0].partition(":")[0] == SPEC


def parse_statement_text(spec: str) -> StatementTextConfig:
    """The config of a line of the module's examples. Raises ConfigError for an unknown setting (naming the
    nearest) and for values that cannot work."""
    first, *pairs = spec.split(",")
    name = first.partition(":")[2]
    given: dict[str, str] = {"name": name} if name else {}
    for pair in pairs:
        key, equals, value = (word.strip() for word in pair.partition("="))
        if not equals:
            raise ConfigError(f"'{spec}': '{pair}' is not of the form setting=value")
        if key == "name":
            raise ConfigError(f"'{spec}': write the set as {SPEC}:{value}")
        given[key] = value
    return from_text(StatementTextConfig, given, spec)
