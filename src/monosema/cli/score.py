"""`monosema score`: every metric of every dictionary, beside its control; or of sets that replace layers together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg

from monosema.cli.showing import Grid, Outcome
from monosema.core.findings import Finding, short
from monosema.core.runs import open_run
from monosema.evaluation.config import ScoreConfig

if TYPE_CHECKING:
    from monosema.evaluation import Scorecard, Together

HEADLINES = ("l0", "mse", "variance_explained", "loss_recovered_zero", "loss_recovered_mean", "alive")
"""What is shown without --all."""


@dataclass(frozen=True)
class Arguments:
    """Score every dictionary of RUN on held-out documents, each number beside its control: RUN/scorecard.json.

    With --together, sets of dictionaries instead, all of a set in the model at once: RUN/together.json.
    """

    run: Positional[Path]
    """Run directory with dictionaries."""
    together: UseAppendAction[tuple[str, ...]] = ()
    """A set to score at once: NAME for NAME-0, NAME-1, ..., or a dictionary of several layers; again for several."""
    all: FlagCreatePairsOff[bool] = False
    """Show every metric, not only the headlines."""
    score: Annotated[ScoreConfig, arg(name="")] = field(default_factory=ScoreConfig)
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Score, and show the table."""
    run = open_run(arguments.run)
    run.require("train")
    if arguments.together:
        return _together(arguments)
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


def _together(arguments: Arguments) -> Outcome:
    from monosema.pipeline.together_stage import together_stage

    found = together_stage(open_run(arguments.run), arguments.together, arguments.score)
    first = next(iter(found.values()))
    about = f"{first.n_tokens:,} held-out tokens of {first.n_documents:,} documents; control: {first.control_is}"
    return Outcome(
        wrote=(arguments.run / "together.json",),
        next=f"monosema trace {arguments.run} TEXT --dictionaries {arguments.together[0]}",
        result={name: one.to_json() for name, one in found.items()},
        shown=(about, _layers(found), "", Grid(("set", "measure", "finding"), _measures(found))),
    )


def _measures(found: Mapping[str, "Together"]) -> list[list[str]]:
    return [[name, measure, str(one)] for name, each in found.items() for measure, one in each.findings.items()]


def _layers(found: Mapping[str, "Together"]) -> Grid:
    """What each layer's replacement costs alone and after those before it."""
    headings = ("set", "replaced", "variance_explained", "loss_recovered_mean, alone", "loss, alone", "loss, up to it")
    rows = [
        [
            name,
            one.site,
            *map(_short, (one.variance_explained, one.loss_recovered_mean, one.loss_alone, one.loss_up_to)),
        ]
        for name, each in found.items()
        for one in each.layers
    ]
    return Grid(headings, rows)


def _short(finding: Finding) -> str:
    return f"{short(finding.value)} ({short(finding.control)})"
