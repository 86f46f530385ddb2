"""`monosema check`: every measurement beside its controls, and in words what may be claimed."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg

from monosema.cli.showing import Grid, Outcome
from monosema.core.config import require
from monosema.core.errors import RunError
from monosema.core.runs import open_run
from monosema.pipeline.check_config import CheckConfig

if TYPE_CHECKING:
    from monosema.evaluation.checks import Check


@dataclass(frozen=True)
class Arguments:
    """Say what may be claimed of the dictionaries of RUN, and what may not: RUN/check.html and RUN/check.json.

    Trains the controls that are missing (the same recipe on shuffled text, and with other seeds) on a few rows,
    measures everything side by side, and judges each claim by a rule that the page states. With --against, only
    compares the decoders of two folders: are the features of the one found again in the other?
    """

    run: Positional[Path]
    """Run directory with dictionaries; with --against, a dictionary's folder or a run."""
    names: UseAppendAction[tuple[str, ...]] = ()
    """Which dictionaries; again for several. Default: all."""
    against: Path | None = None
    """Another dictionary's folder, or a run with dictionaries of the same names."""
    check: Annotated[CheckConfig, arg(name="")] = field(default_factory=CheckConfig)
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Check, and show the verdicts."""
    import sys

    a = arguments
    if a.against is not None:
        return _against(a, a.against)
    run = open_run(a.run)
    run.require("train")
    from monosema.core.config import to_json
    from monosema.pipeline.checking import check_stage, written

    check = check_stage(run, a.check, a.names, tell=lambda words: print(words, file=sys.stderr, flush=True))
    page, numbers = written(run)
    return Outcome(
        wrote=(page, numbers),
        next=f"monosema dash {a.run}",
        result=to_json(check),
        shown=(*verdicts(check), f"open {page.resolve().as_uri()}"),
    )


def verdicts(check: "Check") -> tuple[Any, ...]:
    """The verdict on every claim, then the sentences that may be written of each dictionary."""
    claims = check.dictionaries[0].verdicts
    rows = [
        [claim.says, *(checked.verdicts[i].outcome for checked in check.dictionaries)] for i, claim in enumerate(claims)
    ]
    shown: list[Any] = [Grid(("claim", *(checked.dictionary for checked in check.dictionaries)), rows)]
    for checked in check.dictionaries:
        shown += ["", f"{checked.dictionary} ({checked.recipe})"]
        shown += [f"  {v.outcome}: {v.sentence}" for v in checked.verdicts if v.outcome != "not measured"]
    return (*shown, "")


def _against(a: Arguments, other: Path) -> Outcome:
    """The decoders of one folder in those of another: no model, no text."""
    from monosema.core.config import to_json
    from monosema.evaluation.stability import stability

    own, others = _decoders(a.run, a.names), _decoders(other, a.names)
    single = len(own) == len(others) == 1
    pairs = {name: next(iter(others)) if single else name for name in own if single or name in others}
    require(bool(pairs), f"{a.run} holds {', '.join(own)} and {other} {', '.join(others)}: no name is in both")
    found = {name: stability(own[name], {"": others[twin]}, a.check.seed) for name, twin in pairs.items()}
    rows = [[name, measure, str(finding)] for name, findings in found.items() for measure, finding in findings.items()]
    result = {name: {measure: to_json(f) for measure, f in findings.items()} for name, findings in found.items()}
    return Outcome(wrote=(), next="", result=result, shown=(Grid(("dictionary", "measure", "finding"), rows),))


def _decoders(folder: Path, names: tuple[str, ...]) -> "dict[str, Any]":
    """Decoder rows by name, of a dictionary's own folder or of those in a run."""
    from monosema import dictionaries

    if (folder / "cfg.json").exists():
        return {folder.name: dictionaries.load(folder).W_dec}
    there = {path.parent.name: path.parent for path in sorted((folder / "dictionaries").glob("[!.]*/cfg.json"))}
    if not there:
        raise RunError(f"{folder} is neither a dictionary's folder nor a run with dictionaries")
    return {name: dictionaries.load(path).W_dec for name, path in there.items() if not names or name in names}
