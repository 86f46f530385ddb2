"""`monosema probe`: is there a direction for truth in a model, beside everything else that would tell as much?"""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg

from monosema.cli.places import model_folder, require_folder
from monosema.cli.showing import Outcome
from monosema.core.config import require
from monosema.core.errors import DataError
from monosema.pipeline.probing_config import Duplicates, Form, PlaceConfig, ProbingConfig, RowsConfig
from monosema.probes.table import config_of


@dataclass(frozen=True)
class More:
    """Of the rows and the controls."""

    form: Form = "pairs"
    """What statements become: pairs, completed both ways; prompts, up to the answer; or statements as they stand."""
    template: str = "qa"
    """How they are completed: a template's name, or a text with {statement} and {answer}."""
    distractor: Annotated[str, arg(metavar="HOW")] = ""
    """Put something else into every text, independent of truth, and say which of the two each method found."""
    n: int = 2000
    """Statements of a set; all of one that has fewer."""
    validation: float = 0.25
    """Share of the rows not held out on which sites are chosen."""
    draws: int = 200
    """Random directions beside every probe."""
    permutations: int = 20
    """Shufflings of the labels beside every probe."""


@dataclass(frozen=True)
class Arguments:
    """Probe a model for truth, layer by layer: OUT/probe.html, OUT/probe.json, and a folder of SVG files.

    Every accuracy stands beside the commoner class, random directions, shuffled labels and the same model with its
    weights redrawn. The site is chosen on validation rows; numbers are of rows that nothing was fitted or chosen on.
    """

    model: Annotated[Positional[Path | None], arg(metavar="[MODEL]")] = None
    """Folder of a model of transformers, or a run with a model; the small one that comes with monosema by default."""
    data: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="FILE|SET")] = ()
    """Statements or pairs (.csv, .jsonl), or a set that monosema statements lists. Again for transfer between them."""
    methods: str = "all"
    """Names with commas between them; all are those that the rows allow."""
    layers: str = "all"
    """Numbers with commas between them."""
    kind: str = "resid_post"
    """Kind of site; enc.resid_post or dec.resid_post for one stack of two."""
    position: Literal["last", "mean"] = "last"
    """The text's last token, or the mean over its tokens."""
    held_out: float = 0.3
    """Share of the rows, by groups, that is scored."""
    duplicates: Duplicates = "refuse"
    """What to do with a text that stands in two groups: refuse it, or make one group of the two."""
    more: Annotated[More, arg(name="")] = field(default_factory=More)
    seed: int = 0
    """Of what is drawn, split and randomised."""
    sweep: FlagCreatePairsOff[bool] = False
    """Ask no model: make pairs with a truth and a distractor of rising size, and say at which size a method flips."""
    out: Path = Path("probe")
    """Folder to write to."""
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Read, fit, judge, and write what was found."""
    a, m = arguments, arguments.more
    require_folder(a.out)
    if a.sweep:
        return _sweep(a)
    rows = RowsConfig(a.data, m.n, m.form, m.template, m.distractor, a.held_out, m.validation, a.duplicates, a.seed)
    methods = tuple(name.strip() for name in a.methods.split(",") if name.strip())
    for name in methods:
        if name != "all":
            config_of(name)
    require_files(a.data)
    folder, place = model_folder(a.model), PlaceConfig(a.kind, a.layers, a.position)
    config = ProbingConfig(str(folder), rows, place, methods, m.draws, m.permutations, a.seed)

    from monosema.cli.exhibiting import written
    from monosema.pipeline.probing import probe_model

    words = ["monosema", "erase", *([] if a.model is None else [str(a.model)]), "--data", a.data[0]]
    words += ["--form", m.form] if m.form != "pairs" else []
    return written(probe_model(config), a.out, shlex.join(words))


def _sweep(a: Arguments) -> Outcome:
    require(a.model is None and not a.data, "--sweep makes its own pairs: leave out the model and --data")

    from monosema.cli.exhibiting import written
    from monosema.probes.answers.sweep import sweep
    from monosema.probes.distractors import DistractorConfig

    names = tuple(name.strip() for name in a.methods.split(",") if name.strip())
    default = DistractorConfig(seed=a.seed)
    config = default if names == ("all",) else DistractorConfig(names, seed=a.seed)
    return written(sweep(config), a.out, "monosema probe --data comparisons --distractor contrast_word")


def require_files(data: tuple[str, ...]) -> None:
    """Raise DataError for what can only be a file and is not there."""
    for name in data:
        if Path(name).suffix and ":" not in name and not Path(name).is_file():
            raise DataError(f"there is no file {name}: give statements in .csv or .jsonl, or a set such as comparisons")
