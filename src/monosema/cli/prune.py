"""`monosema prune`: kill the most frequent features, and score what is left."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg

from monosema.cli.showing import Grid, Outcome
from monosema.core.config import require
from monosema.core.runs import open_run
from monosema.evaluation.config import PruneConfig, ScoreConfig

SCORE = PruneConfig().score


@dataclass(frozen=True)
class Arguments:
    """Kill every feature of a frequency above a threshold and score again: RUN/prune.json.

    The sweep asks whether too low an L1 penalty with pruning beats a higher penalty at the same L0.
    """

    run: Positional[Path]
    """Run directory with dictionaries."""
    above: UseAppendAction[tuple[float, ...]] = ()
    """Kill features that fire on more than this fraction of tokens; again for several thresholds."""
    sweep: FlagCreatePairsOff[bool] = False
    """Go through the usual thresholds."""
    dictionary: UseAppendAction[tuple[str, ...]] = ()
    """Which dictionaries; again for several. Default: those of architecture l1, or all where there is none."""
    metric: Literal["loss_recovered_zero", "loss_recovered_mean"] = "loss_recovered_zero"
    """What is compared at the same L0."""
    score: Annotated[ScoreConfig, arg(name="")] = field(default_factory=lambda: SCORE)
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Prune at the thresholds asked for, and say what the study says."""
    a = arguments
    require(bool(a.above) != a.sweep, "say which features to kill: either --above 0.038 or --sweep")
    run = open_run(a.run)
    run.require("train")
    from monosema.pipeline.stages import prune_stage

    thresholds = a.above or PruneConfig().thresholds
    study = prune_stage(run, PruneConfig(thresholds, a.metric, a.score), a.dictionary)
    rows = [
        [p.dictionary, "as trained" if p.above is None else f"{p.above:g}", f"{p.n_killed:,}"]
        + [str(p.findings[name]) for name in ("l0", study.metric)]
        for p in study.points
    ]
    headings = ("dictionary", "above", "killed", "l0", study.metric)
    return Outcome(
        wrote=(a.run / "prune.json",),
        next=f"monosema report {a.run}",
        result=study.to_json(),
        shown=(Grid(headings, rows, frozenset({"above", "killed"})), study.answer),
    )
