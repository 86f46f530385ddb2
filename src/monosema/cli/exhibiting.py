"""An exhibit as files and as what a verb prints: OUT/NAME.html, OUT/NAME.json, OUT/NAME/*.svg."""

from collections.abc import Mapping
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import subcommand

from monosema.cli.showing import Grid, Outcome
from monosema.core.exhibits import Exhibit
from monosema.core.experiments import Experiment


def one_of(table: Mapping[str, Experiment]) -> Any:
    """The type of an argument that holds the settings of one experiment, each a subcommand of its name."""
    return reduce(
        or_, (Annotated[made.config, subcommand(name, description=made.about)] for name, made in table.items())
    )


def written(exhibit: Exhibit, folder: Path, then: str = "") -> Outcome:
    """Write the page, the JSON and the pictures, and say the answer. `then` is the next command to try."""
    from monosema.core.exhibits import as_json
    from monosema.core.runs import write_json
    from monosema.dashboard.exhibit_page import write_exhibit, write_panels

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
        next=then,
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
