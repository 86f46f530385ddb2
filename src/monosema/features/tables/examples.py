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

import numpy as np
import torch

from monosema.core.seeding import derive
from monosema.features.mixing import mixed
from monosema.features.stretches import stretches
from monosema.features.tables.config import BuildConfig
from monosema.features.tables.database import cut
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


@dataclass(frozen=True)
class Picked:
    """The windows of one feature, group by group: the places chosen, the tokens from `start` on that are shown,
    edges[i] .. edges[i + 1] of all of them, and what the feature does there."""

    feature: int
    groups: tuple[Group, ...]
    places: np.ndarray
    start: np.ndarray
    edges: np.ndarray
    act: np.ndarray
    acts: np.ndarray


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
        edges, picked = shard.edges.tolist(), list[Picked]()
        for i in range(len(shard)):
            its = slice(edges[i], edges[i + 1])
            pos, act = shard.pos[its], shard.act[its]
            if len(pos):
                groups = tuple(self.groups(shard.first + i, pos, act, shard.attr[its]))
                self.acts[pos] = act
                picked.append(self._picked(shard.first + i, groups))
                self.acts[pos] = 0
        return self._table(picked)

    def groups(self, feature: int, pos: np.ndarray, act: np.ndarray, attr: np.ndarray) -> Iterator[Group]:
        """The groups of one feature that fires."""
        n, few = self.config.n_examples, -(-self.config.n_examples // 2)
        mass = float(act.sum(dtype=np.float64))

        def group(name: str, which: np.ndarray, chosen: np.ndarray, lo: float, hi: float) -> Group:
            return Group(
                name, lo, hi, len(which) / len(pos), float(act[which].sum(dtype=np.float64)) / mass, pos[chosen]
            )

        # The places are in order: a stable sort by anything else leaves equals in theirs.
        everything, by_act = np.arange(len(pos)), np.argsort(act, kind="stable")
        top = self._one_a_document(np.argsort(-act, kind="stable"), pos)[:n]
        yield group("top", top, top, float(act[top].min()), float(act[top].max()))
        largest = float(act.max())
        widths = np.minimum((act / largest * N_INTERVALS).astype(np.int64), N_INTERVALS - 1)
        keys = self._keys(feature, pos, [f"interval {i}" for i in range(N_INTERVALS)], widths)
        for i in reversed(range(N_INTERVALS)):
            which = (widths == i).nonzero()[0]
            chosen = which[smallest(keys[which], few)]
            yield group("interval", which, chosen, i * largest / N_INTERVALS, (i + 1) * largest / N_INTERVALS)
        quarters = np.array_split(by_act, N_QUANTILES)
        own = np.empty(len(pos), dtype=np.int64)
        own[by_act] = np.arange(N_QUANTILES).repeat([len(quarter) for quarter in quarters])
        keys = self._keys(feature, pos, [f"quantile {i}" for i in range(N_QUANTILES)], own)
        for i in reversed(range(N_QUANTILES)):
            if len(which := quarters[i]):
                chosen = (its := np.sort(which))[smallest(keys[its], few)]
                yield group("quantile", which, chosen, float(act[which].min()), float(act[which].max()))
        chosen = smallest(self._keys(feature, pos, ["active"], np.zeros_like(own)), n)
        yield group("random active", everything, chosen, float(act.min()), largest)
        yield Group("random inactive", 0.0, 0.0, 0.0, 0.0, self._quiet(feature, pos, few))
        for name, sign in (("most helpful", 1), ("most harmful", -1)):
            which = (sign * attr > 0).nonzero()[0]
            if len(which):
                best = which[smallest(-sign * attr[which], few)]
                yield group(name, which, best, float(act[which].min()), float(act[which].max()))

    def _one_a_document(self, order: np.ndarray, pos: np.ndarray) -> np.ndarray:
        _, first = np.unique(self.documents[pos[order]], return_index=True)
        return order[np.sort(first)]

    def _keys(self, feature: int, pos: np.ndarray, names: Sequence[str], own: np.ndarray) -> np.ndarray:
        """Numbers whose smallest among those of one name are a draw from them, each as likely as any other,
        whatever is drawn under other names; `own` says whose each place is."""
        salts = torch.tensor([derive(self.config.seed, name, feature) for name in names])
        return mixed(torch.from_numpy(pos), salts[torch.from_numpy(own)]).numpy()

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

    def _picked(self, feature: int, groups: tuple[Group, ...]) -> Picked:
        """The windows of one feature, while `acts` holds its activations."""
        places = np.concatenate([group.places for group in groups])
        start, stop = self._bounds(places)
        edges, at = stretches(start, stop - start)
        return Picked(feature, groups, places, start, edges, self.acts[places], self.acts[at])

    def _table(self, picked: Sequence[Picked]) -> dict[str, np.ndarray]:
        groups = [(p.feature, group) for p in picked for group in p.groups]
        sizes = np.array([len(group.places) for _, group in groups], dtype=np.int64)
        places, start, act = (_joined([getattr(p, name) for p in picked]) for name in ("places", "start", "act"))
        width = _joined([np.diff(p.edges) for p in picked])
        edges, at = stretches(start, width)
        numbers = {
            name: np.array([getattr(group, name) for _, group in groups], dtype=np.float32).repeat(sizes)
            for name in ("lo", "hi", "share", "mass")
        }
        return {
            "feature": np.array([feature for feature, _ in groups], dtype=np.uint32).repeat(sizes),
            "grp": np.array([group.name for _, group in groups], dtype=object).repeat(sizes),
            **numbers,
            "rank": stretches(np.zeros_like(sizes), sizes)[1].astype(np.uint16),
            "document": self.documents[places].astype(np.uint32),
            "pos": places.astype(np.uint32),
            "act": act.astype(np.float32),
            "start": start.astype(np.uint32),
            "acts": cut(_joined([p.acts for p in picked]).tolist(), edges),
            "texts": self.reading.windows(start, width),
            "ids": cut(self.ids[at].tolist(), edges),
        }


def smallest(values: np.ndarray, n: int) -> np.ndarray:
    """Where the `n` smallest are, in order; of equals the first."""
    if n < len(values):
        there = (values <= np.partition(values, n - 1)[n - 1]).nonzero()[0]
        return there[np.argsort(values[there], kind="stable")[:n]]
    return np.argsort(values, kind="stable")


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
