"""`monosema score`: every metric of every dictionary, beside its control."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

from monosema.cli.showing import Grid, Outcome
from monosema.core.runs import open_run
from monosema.evaluation.config import ScoreConfig

if TYPE_CHECKING:
    from monosema.evaluation import Scorecard

HEADLINES = ("l0", "mse", "variance_explained", "loss_recovered_zero", "loss_recovered_mean", "alive")
"""What is shown without --all."""


@dataclass(frozen=True)
class Arguments:
    """Score every dictionary of RUN on held-out documents, each number beside its control: RUN/scorecard.json."""

    run: Positional[Path]
    """Run directory with dictionaries."""
    all: FlagCreatePairsOff[bool] = False
    """Show every metric, not only the headlines."""
    score: Annotated[ScoreConfig, arg(name="")] = field(default_factory=ScoreConfig)
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Score, and show the table."""
    run = open_run(arguments.run)
    run.require("train")
    from monosema.pipeline.stages import score_stage

    card = score_stage(run, arguments.score)
    about = f"{card.n_tokens:,} held-out tokens of {card.n_documents:,} documents; control: {card.control_is}"
    return Outcome(
        wrote=(arguments.run / "scorecard.json",),
        next=f"monosema report {arguments.run}",
        result=card.to_json(),
        shown=(about, scores(card, None if arguments.all else HEADLINES)),
    )


def scores(card: "Scorecard", metrics: tuple[str, ...] | None = None) -> Grid:
    """The findings of `metrics` (all by default), one a line, and which way is better."""
    shown = [row for row in card.rows() if metrics is None or row.metric in metrics]
    rows = [[row.dictionary, row.metric, str(row.finding), row.info.better] for row in shown]
    return Grid(("dictionary", "metric", "finding", "better"), rows)
