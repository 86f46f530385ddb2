"""The runs that a server shows: their tables, opened when first asked for and again when they change.

A request names a run and a dictionary; both are looked up among what is there. No path is made of what a
request says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from monosema.core.errors import DataError, MonosemaError, RunError, unknown
from monosema.core.runs import open_run, read_json
from monosema.dashboard.comparisons import Comparisons
from monosema.dashboard.explorers import Explorers, Opener
from monosema.dashboard.graph.live import Workshop
from monosema.dashboard.graphs import Graphs
from monosema.evaluation.scorecard import Scorecard
from monosema.features.browse import FeatureTable, open_table
from monosema.features.browse.comparing import Comparison
from monosema.features.labels import LabelStore

BUILDS = "build them with `monosema features {}`"


@dataclass(frozen=True)
class Place:
    """One dictionary of one run, and what people say about it."""

    run: str
    path: Path
    table: FeatureTable
    labels: LabelStore

    @property
    def dictionary(self) -> str:
        """The dictionary's name."""
        return self.table.path.name

    @property
    def key(self) -> str:
        """How an address names it."""
        return f"{self.run}/{self.dictionary}"

    def current(self) -> dict[int, str]:
        """The label of each feature that has one."""
        return self.labels.current(self.dictionary, self.table.manifest.dictionary_fingerprint)


@dataclass(frozen=True)
class Broken:
    """A table that cannot be opened, and why."""

    run: str
    dictionary: str
    why: str


class Library:
    """Run directories by name; `opener` opens the model of one, when a prompt is first read, and `workshop` is where
    graphs come from. Raises RunError for one that is none, or that holds neither tables nor transcoders."""

    def __init__(self, runs: Sequence[Path], opener: Opener | None = None, workshop: Workshop | None = None) -> None:
        self.runs = _named([open_run(path).path for path in runs])
        self.explorers = Explorers(opener)
        self.graphs = Graphs(workshop, self.explorers)
        self._open: dict[tuple[str, str], tuple[tuple[int, ...], FeatureTable]] = {}
        self._comparisons = Comparisons()
        self._lock = Lock()
        for path in self.runs.values():
            if not _tables(path) and not self.graphs.sets(path):
                raise RunError(f"{path} has no feature tables: {BUILDS.format(path)}")

    def place(self, run: str, dictionary: str) -> Place:
        """The dictionary of a run. Raises DataError when there is none of this name."""
        if run not in self.runs:
            raise DataError(unknown("run", run, self.runs))
        folders = {folder.name: folder for folder in _tables(self.runs[run])}
        if dictionary not in folders:
            raise DataError(unknown("dictionary", dictionary, folders))
        table = self._table((run, dictionary), folders[dictionary])
        return Place(run, self.runs[run], table, LabelStore(self.runs[run] / "labels.sqlite"))

    def places(self) -> tuple[list[Place], list[Broken]]:
        """Every dictionary of every run; those that cannot be opened, with the reason."""
        found: list[Place] = []
        broken: list[Broken] = []
        for run, dictionary in self.names():
            try:
                found.append(self.place(run, dictionary))
            except MonosemaError as error:
                broken.append(Broken(run, dictionary, str(error)))
        return found, broken

    def names(self) -> list[tuple[str, str]]:
        """The names of every run's dictionaries."""
        return [(run, folder.name) for run, path in self.runs.items() for folder in _tables(path)]

    def compared(self, left: FeatureTable, right: FeatureTable) -> Comparison | None:
        """The comparison of two open tables, kept until one of them changes; None while it is being worked out."""
        return self._comparisons.of(left, right)

    def scorecard(self, run: str) -> Scorecard | None:
        """The run's scorecard, if it has one."""
        path = self.runs[run] / "scorecard.json"
        return Scorecard.from_json(read_json(path)) if path.exists() else None

    def _table(self, key: tuple[str, str], folder: Path) -> FeatureTable:
        with self._lock:
            state = _state(folder)
            if key not in self._open or self._open[key][0] != state:
                self._open[key] = (state, open_table(folder))
            return self._open[key][1]


def _named(paths: list[Path]) -> dict[str, Path]:
    """Runs by the name of their folder; of several with one name, the second is called name-2."""
    named: dict[str, Path] = {}
    for path in dict.fromkeys(path.resolve() for path in paths):
        name, n = path.name or "run", 1
        while (key := name if n == 1 else f"{name}-{n}") in named:
            n += 1
        named[key] = path
    return named


def _tables(run: Path) -> list[Path]:
    return sorted(path.parent for path in run.glob("features/*/table.json"))


def _state(folder: Path) -> tuple[int, ...]:
    """Changes when a file of the table is replaced or appears."""
    return tuple(sorted(entry.stat().st_mtime_ns for entry in folder.iterdir() if entry.is_file()))
