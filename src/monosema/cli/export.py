"""`monosema export`: features as one HTML file, as tables, and in the formats of Neuronpedia and SAEDashboard."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

from monosema.cli.showing import Outcome
from monosema.core.config import require
from monosema.core.errors import ConfigError


@dataclass(frozen=True)
class Names:
    """What Neuronpedia is to call them."""

    model: str = ""
    """The model's id there, such as gpt2-small."""
    set: str = ""
    """The name of the set of dictionaries. Default: the dictionary's."""


@dataclass(frozen=True)
class Arguments:
    """Write features of one of RUN's tables to files that need no server."""

    run: Positional[Path]
    """Run directory with feature tables."""
    dictionary: str = ""
    """Which dictionary; needed when there are several."""
    query: str = ""
    """Which features: the part of a page's address after the question mark. Default: all, the most important first."""
    limit: int | None = None
    """Only the first so many of them."""
    html: Path | None = None
    """Write one HTML file, which opens anywhere and fetches nothing."""
    csv: Path | None = None
    """Write features.csv, examples.csv and neighbours.csv to this folder."""
    neuronpedia: Path | None = None
    """Write the folder that Neuronpedia imports, below this one."""
    saedashboard: Path | None = None
    """Write a batch in SAEDashboard's JSON."""
    labels: Path | None = None
    """Write every label, list and view of the run, a JSON object a line."""
    names: Annotated[Names, arg(name="")] = field(default_factory=Names)
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Write what was asked for."""
    from monosema.dashboard.exports.selection import select
    from monosema.dashboard.library import Library
    from monosema.features.browse.query import Query

    a = arguments
    asked = {
        "html": a.html,
        "csv": a.csv,
        "neuronpedia": a.neuronpedia,
        "saedashboard": a.saedashboard,
        "labels": a.labels,
    }
    require(any(asked.values()), f"nothing to write: give {', '.join(f'--{name}' for name in asked)}")
    require(a.limit is None or a.limit > 0, f"limit is {a.limit}: it must be at least 1")
    library = Library([a.run])
    place = library.place(*_chosen(library, a.dictionary))
    wrote: list[Path] = []
    if a.labels:
        place.labels.to_jsonl(a.labels)
        wrote.append(a.labels)
    n = 0
    if any((a.html, a.csv, a.neuronpedia, a.saedashboard)):
        selection = select(place.table, Query.from_url(a.query), place.current(), a.limit)
        n = len(selection.features)
        wrote += _written(a, selection)
    result = {"dictionary": place.dictionary, "features": n, "query": a.query}
    size = sum(path.stat().st_size for path in wrote if path.is_file())
    shown = (f"{n:,} features of {place.dictionary}" + (f", {size:,} bytes" if size else ""),) if n else ()
    return Outcome(wrote=tuple(wrote), next=f"monosema dash {a.run}", result=result, shown=shown)


def _written(a: Arguments, selection: "object") -> list[Path]:
    from monosema.dashboard.exports import neuronpedia, saedashboard, single, tables
    from monosema.dashboard.exports.selection import Selection

    assert isinstance(selection, Selection)
    wrote: list[Path] = []
    if a.html:
        single.write_single(a.html, selection)
        wrote.append(a.html)
    if a.csv:
        wrote += tables.write_csv(a.csv, selection)
    if a.neuronpedia:
        naming = neuronpedia.Naming(a.names.model, a.names.set)
        wrote.append(neuronpedia.write_neuronpedia(a.neuronpedia, selection, naming))
    if a.saedashboard:
        saedashboard.write_saedashboard(a.saedashboard, selection)
        wrote.append(a.saedashboard)
    return wrote


def _chosen(library: "object", dictionary: str) -> tuple[str, str]:
    from monosema.dashboard.library import Library

    assert isinstance(library, Library)
    keys = library.names()
    if not dictionary and len(keys) > 1:
        names = ", ".join(name for _, name in keys)
        raise ConfigError(f"there are several dictionaries: give one of {names} with --dictionary")
    return keys[0][0], dictionary or keys[0][1]
