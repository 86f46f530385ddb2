"""The examples of a feature: windows of text around tokens that were chosen by a rule that says its name.

    top            the strongest firing of each of the documents where it is strongest
    interval       drawn from the firings with an activation in one of five equal widths of (0, max]
    quantile       drawn from each quarter of the firings, by rank
    random active  drawn from all firings
    random inactive  drawn from the positions with no firing in the window
    most helpful   firings with the largest first-order effect on the loss; none where it hurts
    most harmful   the same with the smallest

share and mass say for how many of the firings, and how much of the activation, a row's group stands.
Every usable position can be shown; a window ends where its document, or its block, does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from monosema.core.seeding import derive
from monosema.features.mixing import mixed
from monosema.features.tables.config import BuildConfig
from monosema.features.tables.database import lists
from monosema.features.tables.shards import Shard
from monosema.features.tables.text import Reading, TableText

GROUPS = ("top", "interval", "quantile", "random active", "random inactive", "most helpful", "most harmful")
N_INTERVALS, N_QUANTILES = 5, 4
TRIES = 32
"""Positions looked at for each random inactive example."""

COLUMNS = """
    feature, grp::VARCHAR AS grp, lo, hi, share, mass, rank, document, pos, act, start, acts::FLOAT[] AS acts,
    texts::VARCHAR[] AS texts, ids::UINTEGER[] AS ids
"""


@dataclass(frozen=True)
class Group:
    """Some examples of one feature: places in order of rank, and what they were drawn from."""

    name: str
    lo: float
    hi: float
    share: float
    mass: float
    places: np.ndarray


class Chooser:
    """Chooses the examples of one feature after another."""

    def __init__(self, text: TableText, reading: Reading, config: BuildConfig) -> None:
        self.config, self.text, self.reading = config, text, reading
        self.documents = text.documents.numpy().ravel()
        self.ids = text.tokens.numpy().ravel()
        self.stretches = text.stretches()
        self.usable = text.usable.numpy().ravel().nonzero()[0].astype(np.uint32)
        self.acts = np.zeros(len(self.ids), dtype=np.float32)

    def rows(self, shard: Shard) -> dict[str, np.ndarray]:
        """The examples of all features of a shard, feature by feature, group by group."""
        found: list[tuple[Any, ...]] = []
        edges = shard.edges
        for i in range(len(shard)):
            its = slice(edges[i], edges[i + 1])
            pos, act, attr = shard.pos[its], shard.act[its], shard.attr[its]
            if len(pos):
                self.acts[pos] = act
                for group in self.groups(shard.first + i, pos, act, attr):
                    found += self._windows(shard.first + i, group)
                self.acts[pos] = 0
        return _table(found)

    def groups(self, feature: int, pos: np.ndarray, act: np.ndarray, attr: np.ndarray) -> Iterator[Group]:
        """The groups of one feature that fires."""
        n, few = self.config.n_examples, -(-self.config.n_examples // 2)
        mass = float(act.sum(dtype=np.float64))

        def group(name: str, which: np.ndarray, chosen: np.ndarray, lo: float, hi: float) -> Group:
            return Group(
                name, lo, hi, len(which) / len(pos), float(act[which].sum(dtype=np.float64)) / mass, pos[chosen]
            )

        everything = np.arange(len(pos))
        top = self._one_a_document(np.lexsort((pos, -act)), pos)[:n]
        yield group("top", top, top, float(act[top].min()), float(act[top].max()))
        largest = float(act.max())
        widths = np.minimum((act / largest * N_INTERVALS).astype(np.int64), N_INTERVALS - 1)
        for i in reversed(range(N_INTERVALS)):
            which = (widths == i).nonzero()[0]
            chosen = self._drawn(which, pos, feature, f"interval {i}", few)
            yield group("interval", which, chosen, i * largest / N_INTERVALS, (i + 1) * largest / N_INTERVALS)
        quarters = np.array_split(np.lexsort((pos, act)), N_QUANTILES)
        for i in reversed(range(N_QUANTILES)):
            if len(which := quarters[i]):
                chosen = self._drawn(np.sort(which), pos, feature, f"quantile {i}", few)
                yield group("quantile", which, chosen, float(act[which].min()), float(act[which].max()))
        chosen = self._drawn(everything, pos, feature, "active", n)
        yield group("random active", everything, chosen, float(act.min()), largest)
        yield Group("random inactive", 0.0, 0.0, 0.0, 0.0, self._quiet(feature, pos, few))
        for name, sign in (("most helpful", 1), ("most harmful", -1)):
            which = (sign * attr > 0).nonzero()[0]
            if len(which):
                best = which[np.lexsort((pos[which], -sign * attr[which]))][:few]
                yield group(name, which, best, float(act[which].min()), float(act[which].max()))

    def _one_a_document(self, order: np.ndarray, pos: np.ndarray) -> np.ndarray:
        _, first = np.unique(self.documents[pos[order]], return_index=True)
        return order[np.sort(first)]

    def _drawn(self, which: np.ndarray, pos: np.ndarray, feature: int, what: str, n: int) -> np.ndarray:
        """`n` of `which`, each as likely as any other, whatever else is drawn."""
        keys = mixed(torch.from_numpy(pos[which]), derive(self.config.seed, what, feature)).numpy()
        return which[np.argsort(keys, kind="stable")[:n]]

    def _quiet(self, feature: int, pos: np.ndarray, n: int) -> np.ndarray:
        """Usable positions with no firing in the window; fewer than `n` when few are found."""
        salt = derive(self.config.seed, "inactive", feature)
        draws = mixed(torch.arange(TRIES * n), salt).numpy() % len(self.usable)
        places = self.usable[draws[np.sort(np.unique(draws, return_index=True)[1])]].astype(np.int64)
        start, stop = self._bounds(places)
        return places[np.searchsorted(pos, start) == np.searchsorted(pos, stop)][:n]

    def _bounds(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        its = np.searchsorted(self.stretches, places, side="right") - 1
        low = np.maximum(self.stretches[its], places - self.config.before)
        return low, np.minimum(self.stretches[its + 1], places + self.config.after + 1)

    def _windows(self, feature: int, group: Group) -> Iterator[tuple[Any, ...]]:
        start, stop = self._bounds(group.places)
        for rank, (place, a, b) in enumerate(zip(group.places.tolist(), start.tolist(), stop.tolist(), strict=True)):
            block, at = divmod(a, self.text.context)
            yield (
                feature, group.name, group.lo, group.hi, group.share, group.mass, rank,
                self.documents[place], place, self.acts[place],
                a, self.acts[a:b].tolist(), self.reading.texts(block, at, at + b - a), self.ids[a:b].tolist(),
            )  # fmt: skip


_TYPES: dict[str, Any] = {
    "feature": np.uint32,
    "grp": object,
    **dict.fromkeys(("lo", "hi", "share", "mass"), np.float32),
    "rank": np.uint16,
    "document": np.uint32,
    "pos": np.uint32,
    "act": np.float32,
    "start": np.uint32,
    **dict.fromkeys(("acts", "texts", "ids"), list),
}


def _table(rows: Sequence[tuple[Any, ...]]) -> dict[str, np.ndarray]:
    columns = zip(*rows, strict=True) if rows else [()] * len(_TYPES)
    return {
        name: lists(list(column)) if kind is list else np.array(column, dtype=kind)
        for (name, kind), column in zip(_TYPES.items(), columns, strict=True)
    }
