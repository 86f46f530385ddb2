"""`monosema report`: one page from what the run holds."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

from monosema.cli.showing import Outcome
from monosema.core.runs import open_run
from monosema.features.rows import SampleConfig


@dataclass(frozen=True)
class Arguments:
    """Sample features of every dictionary of RUN and make RUN/report.html, which works offline."""

    run: Positional[Path]
    """Run directory with a scorecard."""
    sample: Annotated[SampleConfig, arg(name="")] = field(default_factory=SampleConfig)
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Sample features where that is not done yet, then write the page."""
    run = open_run(arguments.run)
    run.require("score")
    from monosema.pipeline.stages import report_stage

    page = report_stage(run, arguments.sample)
    found = (run.path / "features.json", run.path / "scorecard.json", run.path / "prune.json")
    return Outcome(
        wrote=(page, run.path / "features.json"),
        next="" if (run.path / "prune.json").exists() else f"monosema prune {run.path} --sweep",
        result={"page": str(page), "shows": [str(path) for path in found if path.exists()]},
        shown=(f"open {page.resolve().as_uri()}",),
    )
