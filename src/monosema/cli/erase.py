"""`monosema erase`: take a label out of a model's activations; what is certified, what is still read, what it costs."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, arg

from monosema.cli.places import model_folder, require_folder
from monosema.cli.probe import require_files
from monosema.cli.showing import Outcome
from monosema.core.config import require
from monosema.pipeline.probing_config import Duplicates, EraserName, ErasingConfig, Form, PlaceConfig, RowsConfig


@dataclass(frozen=True)
class More:
    """Of the rows."""

    form: Form = "prompts"
    """What statements become: prompts, up to the answer; pairs, completed both ways; or statements as they stand."""
    template: str = "qa"
    """How they are completed: a template's name, or a text with {statement} and {answer}."""
    n: int = 2000
    """Statements of a set; all of one that has fewer."""
    validation: float = 0.25
    """Share of the rows not held out on which sites are compared."""


@dataclass(frozen=True)
class Arguments:
    """Erase the label of statements from a model's activations: OUT/erase.html, OUT/erase.json, OUT/erasers/SITE.

    Fitted on training rows, certified and priced on held-out ones, each number beside random directions.
    """

    model: Annotated[Positional[Path | None], arg(metavar="[MODEL]")] = None
    """Folder of a model of transformers, or a run with a model; the small one that comes with monosema by default."""
    data: Annotated[str, arg(metavar="FILE|SET")] = ""
    """Statements or pairs (.csv, .jsonl), or a set that monosema statements lists."""
    method: EraserName = "leace"
    """How it is erased."""
    layers: str = "best"
    """best: where validation rows read most; all, or numbers with commas: one after another, each on what is left."""
    kind: str = "resid_post"
    """Kind of site; enc.resid_post or dec.resid_post for one stack of two."""
    position: Literal["last", "mean"] = "last"
    """Where rows are read: the text's last token, or the mean over its tokens. Erased is at every position."""
    held_out: float = 0.3
    """Share of the rows, by groups, on which it is certified."""
    duplicates: Duplicates = "refuse"
    """What to do with a text that stands in two groups: refuse it, or make one group of the two."""
    more: Annotated[More, arg(name="")] = field(default_factory=More)
    seed: int = 0
    """Of what is drawn and split."""
    demonstration: FlagCreatePairsOff[bool] = False
    """Ask no model: erase two discrete predictors, and say why a probe that then fails is no discovery."""
    out: Path = Path("erase")
    """Folder to write to."""
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Read, fit, certify, and write the erasers beside what was found."""
    a, m = arguments, arguments.more
    require_folder(a.out)
    if a.demonstration:
        return _demonstration(a)
    require(bool(a.data), "there is nothing to read: give --data FILE.csv, or a set such as --data comparisons")
    rows = RowsConfig((a.data,), m.n, m.form, m.template, "", a.held_out, m.validation, a.duplicates, a.seed)
    require_files((a.data,))
    best = a.layers == "best"
    place = PlaceConfig(a.kind, "all" if best else a.layers, a.position)
    folder = model_folder(a.model)
    config = ErasingConfig(str(folder), rows, place, a.method, best, a.seed)

    from monosema.cli.exhibiting import written
    from monosema.pipeline.erasing import erase_from
    from monosema.probes import save_eraser

    exhibit, erasers = erase_from(config)
    name = [] if a.model is None else [str(a.model)]
    words = ["monosema", "erase", *name, "--data", a.data, "--method", "mean_difference", "--out", f"{a.out}-mean"]
    words += [
        word
        for name, given, usual in (("--form", m.form, "prompts"), ("--kind", a.kind, "resid_post"))
        for word in (name, given)
        if given != usual
    ]
    outcome = written(exhibit, a.out, shlex.join(words) if a.method != "mean_difference" else "")
    for site, eraser in erasers.items():
        save_eraser(eraser, a.out / "erasers" / site)
    return Outcome((*outcome.wrote, a.out / "erasers"), outcome.next, outcome.result, outcome.shown)


def _demonstration(a: Arguments) -> Outcome:
    require(a.model is None and not a.data, "--demonstration draws its own rows: leave out the model and --data")

    from dataclasses import replace

    from monosema.cli.exhibiting import written
    from monosema.probes import TwoPredictorsConfig, two_predictors

    exhibit = replace(two_predictors(TwoPredictorsConfig(seed=a.seed)), command="erase --demonstration")
    return written(exhibit, a.out, "monosema erase --data comparisons")
