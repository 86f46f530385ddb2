"""`monosema toy`: one experiment on toy models, as a page, JSON and pictures."""

from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import CascadeSubcommandArgs, FlagCreatePairsOff, arg, configure, subcommand

from monosema.cli.showing import Grid, Outcome
from monosema.toys.experiments import EXPERIMENTS

if TYPE_CHECKING:
    Settings = Any
else:
    Settings = reduce(
        or_, (Annotated[made.config, subcommand(name, description=made.about)] for name, made in EXPERIMENTS.items())
    )


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
    from monosema.core.exhibits import as_json
    from monosema.core.runs import write_json
    from monosema.dashboard.exhibit_page import write_exhibit, write_panels
    from monosema.toys.experiments import run_experiment

    exhibit = run_experiment(arguments.experiment)
    folder = arguments.out
    folder.mkdir(parents=True, exist_ok=True)
    page, numbers, pictures = (folder / f"{exhibit.name}{end}" for end in (".html", ".json", ""))
    pictures.mkdir(exist_ok=True)
    write_exhibit(page, exhibit)
    result = as_json(exhibit)
    write_json(numbers, result)
    write_panels(pictures, exhibit)
    rows = [[name.replace("_", " "), str(finding)] for name, finding in exhibit.findings.items()]
    return Outcome(
        wrote=(page, numbers, pictures),
        next="",
        result=result,
        shown=(
            exhibit.question,
            "",
            *exhibit.answer,
            "",
            Grid(("finding", "value"), rows),
            "",
            exhibit.how,
            f"open {page.resolve().as_uri()}",
        ),
    )
