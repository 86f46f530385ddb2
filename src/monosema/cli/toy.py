"""`monosema toy`: one experiment on toy models, as a page, JSON and pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import CascadeSubcommandArgs, FlagCreatePairsOff, arg, configure

from monosema.cli.exhibiting import one_of, written
from monosema.cli.showing import Outcome
from monosema.toys.experiments import EXPERIMENTS

if TYPE_CHECKING:
    Settings = Any
else:
    Settings = one_of(EXPERIMENTS)


@configure(CascadeSubcommandArgs)
@dataclass(frozen=True)
class Arguments:
    """Run one experiment on toy models: OUT/NAME.html, OUT/NAME.json, OUT/NAME/*.svg.

    Prints the answer and the findings, each with its control. The same settings give the same numbers.
    """

    experiment: Annotated[Settings, arg(name="")]
    out: Path = Path("toys")
    """Folder to write to."""
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Run the experiment, write what it showed, and say its answer."""
    from monosema.toys.experiments import run_experiment

    return written(run_experiment(arguments.experiment), arguments.out)
