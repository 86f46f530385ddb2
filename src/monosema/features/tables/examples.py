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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from monosema.core.seeding import derive
from monosema.features.mixing import mixed
from monosema.features.stretches import stretches
from monosema.features.tables.config import BuildConfig
from monosema.features.tables.database import gathered, spread
from monosema.features.tables.shards import Shard
from monosema.features.tables.text import Reading, TableText

GROUPS = ("top", "interval", "quantile", "random active", "random inactive", "most helpful", "most harmful")
N_INTERVALS, N_QUANTILES = 5, 4
TRIES = 32
"""Positions looked at for each random inactive example."""


@dataclass(frozen=True)
class Members:
    """The firings that stand in groups of one name, of all features of a shard.

    each   groups of a feature      its    entries of the shard, in their order
    group  of each of them: feature * each + number of the group, from the weakest
    """

    name: str
    each: int
    its: np.ndarray
    group: np.ndarray


@dataclass(frozen=True)
class Picked:
    """Examples, one row each, in any order.

    feature  counted from the shard's first     name   of the group, its place among GROUPS
    number   of the group among those of its name, from the strongest; `rank` within the group
    """

    feature: np.ndarray
    name: np.ndarray
    number: np.ndarray
    rank: np.ndarray
    pos: np.ndarray
    lo: np.ndarray
    hi: np.ndarray
    share: np.ndarray
    mass: np.ndarray

    @staticmethod
    def joined(parts: Sequence["Picked"]) -> "Picked":
        """All of them: feature by feature, group by group, in order of rank."""
        columns = {name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])}
        order = np.lexsort([columns[name] for name in ("rank", "number", "name", "feature")])
        return Picked(**{name: column[order] for name, column in columns.items()})


class Chooser:
    """Chooses the examples of the features of one shard after another."""

    def __init__(self, text: TableText, reading: Reading, config: BuildConfig) -> None:
        self.config, self.reading = config, reading
        self.n, self.few = config.n_examples, -(-config.n_examples // 2)
        self.documents = text.documents.numpy().ravel()
        self.ids = text.tokens.numpy().ravel()
        self.stretches = text.stretches()
        self.usable = text.usable.numpy().ravel().nonzero()[0].astype(np.uint32)
        self.widest = min(config.before + config.after + 1, text.context)

    @property
    def query(self) -> str:
        """What makes the rows of examples.parquet of the columns of `rows`."""
        lists = ", ".join(f"{gathered(name, self.widest)}[:width] AS {name}" for name in ("acts", "texts", "ids"))
        return (
            "SELECT feature, grp::VARCHAR AS grp, lo, hi, share, mass, rank, document, pos, act, start, "
            f"{lists} FROM given"
        )

    def rows(self, shard: Shard) -> dict[str, np.ndarray]:
        """The examples of all features of a shard, feature by feature, group by group."""
        parts = [self._top(shard), self._intervals(shard), self._quantiles(shard), self._active(shard)]
        parts += [self._quiet(shard), self._by_effect(shard, "most helpful", 1)]
        return self._table(shard, Picked.joined([*parts, self._by_effect(shard, "most harmful", -1)]))

    def _top(self, shard: Shard) -> Picked:
        owner = shard.feature * (len(self.documents) + 1) + self.documents[shard.pos] + 1
        order = in_order(-shard.act, shard.feature)
        best = order[np.sort(np.unique(owner[order], return_index=True)[1])]
        its = np.sort(best[_ranks(shard.feature[best], len(shard)) < self.n])
        members = Members("top", 1, its, shard.feature[its])
        return _picked(shard, members, -shard.act[its], self.n)

    def _intervals(self, shard: Shard) -> Picked:
        largest = _extreme(np.maximum, shard.act, shard.feature, len(shard))
        shares = shard.act / largest[shard.feature] * N_INTERVALS
        group = shard.feature * N_INTERVALS + np.minimum(shares.astype(np.int64), N_INTERVALS - 1)
        edges = np.arange(N_INTERVALS + 1) * largest.astype(np.float64)[:, None] / N_INTERVALS
        members = Members("interval", N_INTERVALS, np.arange(len(group)), group)
        bounds = (edges[:, :-1].ravel(), edges[:, 1:].ravel())
        return _picked(shard, members, self._lots(shard, members), self.few, bounds)

    def _quantiles(self, shard: Shard) -> Picked:
        order, n_active = in_order(shard.act, shard.feature), np.diff(shard.edges)
        size, larger = (x[shard.feature[order]] for x in np.divmod(n_active, N_QUANTILES))
        rank, own = _ranks(shard.feature[order], len(shard)), np.empty(len(order), dtype=np.int64)
        among = np.maximum(size, 1)
        own[order] = np.where(rank < larger * (size + 1), rank // (size + 1), (rank - larger) // among)
        members = Members("quantile", N_QUANTILES, np.arange(len(own)), shard.feature * N_QUANTILES + own)
        return _picked(shard, members, self._lots(shard, members), self.few)

    def _active(self, shard: Shard) -> Picked:
        members = Members("random active", 1, np.arange(len(shard.pos)), shard.feature)
        return _picked(shard, members, self._lots(shard, members), self.n)

    def _by_effect(self, shard: Shard, name: str, sign: int) -> Picked:
        its = (sign * shard.attr > 0).nonzero()[0]
        return _picked(shard, Members(name, 1, its, shard.feature[its]), -sign * shard.attr[its], self.few)

    def _lots(self, shard: Shard, members: Members) -> np.ndarray:
        """Numbers whose smallest in each group are a draw from it, each firing as likely as any other, whatever is
        drawn from other groups."""
        names = [f"{members.name} {i}" for i in range(members.each)] if members.each > 1 else ["active"]
        salts = [derive(self.config.seed, name, f) for f in range(shard.first, shard.stop) for name in names]
        return mixed(torch.from_numpy(shard.pos), torch.tensor(salts)[torch.from_numpy(members.group)]).numpy()

    def _quiet(self, shard: Shard) -> Picked:
        """Usable positions with no firing in the window; fewer than wanted when few are found."""
        firing = np.diff(shard.edges).nonzero()[0]
        salts = torch.tensor([derive(self.config.seed, "inactive", f) for f in (firing + shard.first).tolist()])
        tries = torch.arange(TRIES * self.few).expand(len(firing), -1)
        draws = mixed(tries, salts.long().unsqueeze(1)).numpy() % len(self.usable)
        feature, place = firing.repeat(draws.shape[1]), draws.ravel()
        low, high = self._entries(shard, feature, *self._bounds(self.usable[place].astype(np.int64)))
        feature, place = feature[low == high], place[low == high]
        first = np.sort(np.unique(feature * len(self.usable) + place, return_index=True)[1])
        first = first[(rank := _ranks(feature[first], len(shard))) < self.few]
        none = np.zeros(len(first))
        name = np.full(len(first), GROUPS.index("random inactive"))
        pos = self.usable[place[first]].astype(np.int64)
        return Picked(feature[first], name, none, rank[rank < self.few], pos, none, none, none, none)

    def _bounds(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        its = np.searchsorted(self.stretches, places, side="right") - 1
        low = np.maximum(self.stretches[its], places - self.config.before)
        return low, np.minimum(self.stretches[its + 1], places + self.config.after + 1)

    def _entries(
        self, shard: Shard, feature: np.ndarray, start: np.ndarray, stop: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which entries of the shard are a feature's own in start .. stop - 1: the first, and the end."""
        size = len(self.ids) + 1
        keys = shard.feature * size + shard.pos
        return np.searchsorted(keys, feature * size + start), np.searchsorted(keys, feature * size + stop)

    def _table(self, shard: Shard, picked: Picked) -> dict[str, np.ndarray]:
        start, stop = self._bounds(picked.pos)
        low, high = self._entries(shard, picked.feature, start, stop)
        row, entry = np.arange(len(low)).repeat(high - low), stretches(low, high - low)[1]
        acts = np.zeros((self.widest, len(low)), dtype=np.float32)
        acts[shard.pos[entry] - start[row], row] = shard.act[entry]
        at = np.minimum(start + np.arange(self.widest)[:, None], len(self.ids) - 1)
        return {
            "feature": (picked.feature + shard.first).astype(np.uint32),
            "grp": np.array(GROUPS, dtype=object)[picked.name],
            **{name: vars(picked)[name].astype(np.float32) for name in ("lo", "hi", "share", "mass")},
            "rank": picked.rank.astype(np.uint16),
            "document": self.documents[picked.pos].astype(np.uint32),
            "pos": picked.pos.astype(np.uint32),
            "act": acts[picked.pos - start, np.arange(len(low))],
            "start": start.astype(np.uint32),
            "width": stop - start,
            **spread("acts", acts),
            **spread("texts", self.reading.at(at)),
            **spread("ids", self.ids[at].astype(np.uint32)),
        }


def _picked(
    shard: Shard,
    members: Members,
    values: np.ndarray,
    most: int,
    bounds: tuple[np.ndarray, np.ndarray] | None = None,
) -> Picked:
    """Of each group the `most` members of the smallest values. `bounds` are those of all groups, by default the
    activations of the weakest and the strongest member."""
    n, act = len(shard) * members.each, shard.act[members.its]
    lo, hi = bounds or (_extreme(least, act, members.group, n) for least in (np.minimum, np.maximum))
    share = np.bincount(members.group, minlength=n) / np.diff(shard.edges).clip(1).repeat(members.each)
    mass, whole = np.bincount(members.group, act, n), np.bincount(shard.feature, shard.act, len(shard))
    order = in_order(values, members.group)
    rank = _ranks(members.group[order], n)
    its, rank = order[rank < most], rank[rank < most]
    group = members.group[its]
    feature, number = np.divmod(group, members.each)
    return Picked(
        feature=feature,
        name=np.full(len(its), GROUPS.index(members.name)),
        number=members.each - 1 - number,
        rank=rank,
        pos=shard.pos[members.its[its]],
        lo=lo[group],
        hi=hi[group],
        share=share[group],
        mass=mass[group] / whole[feature],
    )


def _extreme(which: np.ufunc, act: np.ndarray, group: np.ndarray, n: int) -> np.ndarray:
    """The smallest or the largest activation of each group; of one without members no number that means anything."""
    found = np.full(n, np.inf if which is np.minimum else 0, dtype=np.float32)
    which.at(found, group, act)
    return found


def _ranks(group: np.ndarray, n: int) -> np.ndarray:
    """The place of each within its group, of rows in order of group."""
    counts = np.bincount(group, minlength=n)
    return np.arange(len(group)) - (counts.cumsum() - counts)[group]


def in_order(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Where the values are by group and then by size, the smallest first; of equals the first."""
    if values.dtype == np.float32:
        # A number's bits, turned so that they sort as it does, above its place: numpy sorts whole numbers ten times
        # as fast as it says where they are.
        bits = (values + np.float32(0)).view(np.int32)
        turned = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64)
        by_size = np.sort((turned << 32) | np.arange(len(values))) & 0xFFFFFFFF
    else:
        by_size = np.argsort(values, kind="stable")
    own = group[by_size].astype(np.min_scalar_type(int(group.max(initial=0))))
    return by_size[np.argsort(own, kind="stable")]
