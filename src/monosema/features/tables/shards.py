"""The sorted entries of some neighbouring features at a time, so that memory does not grow with the text."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monosema.features.tables.database import Database, rows_of

ENTRIES = 4_000_000
FEATURES = 256


@dataclass(frozen=True)
class Shard:
    """Features first .. stop - 1 and where they fire, sorted by feature and place.

    feature  counted from `first`        edges  entries of the i-th feature: edges[i] .. edges[i + 1]
    """

    number: int
    first: int
    stop: int
    feature: np.ndarray
    pos: np.ndarray
    act: np.ndarray
    attr: np.ndarray

    def __len__(self) -> int:
        return self.stop - self.first

    @property
    def edges(self) -> np.ndarray:
        return np.searchsorted(self.feature, np.arange(len(self) + 1))


def ranges(ordered: Path, n_features: int, database: Database) -> list[tuple[int, int]]:
    """Which features go together: up to FEATURES, with up to ENTRIES entries unless one alone has more."""
    counted = database.fetch(
        f"SELECT feature, count(*) AS n FROM {rows_of([ordered])} GROUP BY feature ORDER BY feature"
    )
    counts = np.zeros(n_features, dtype=np.int64)
    counts[counted["feature"]] = counted["n"]
    found, first, held = [], 0, 0
    for feature, n in enumerate(counts.tolist()):
        if feature > first and (held + n > ENTRIES or feature - first == FEATURES):
            found.append((first, feature))
            first, held = feature, 0
        held += n
    return [*found, (first, n_features)]


def shards(ordered: Path, n_features: int, database: Database) -> Iterator[Shard]:
    """All features, some at a time."""
    for number, (first, stop) in enumerate(ranges(ordered, n_features, database)):
        yield load(ordered, number, first, stop, database)


def load(ordered: Path, number: int, first: int, stop: int, database: Database) -> Shard:
    """One shard. The rows of a feature are in order of place, as they were written."""
    rows = database.fetch(
        f"SELECT feature, pos, act, attr FROM {rows_of([ordered])} WHERE feature BETWEEN ? AND ? ORDER BY feature, pos",
        (first, stop - 1),
    )
    feature, pos = rows["feature"].astype(np.int64) - first, rows["pos"].astype(np.int64)
    return Shard(number, first, stop, feature, pos, rows["act"], rows["attr"])
