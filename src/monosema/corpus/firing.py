"""Which features fire on which rows, drawn at the cost of the firings.

A feature that fires on a row with probability p is a Poisson process of rate -log(1 - p) a row that has at least
one point there: points are thrown on all rows of a batch at once, so nothing is drawn for the many that do
not fire. A rate that depends on the row is the largest rate, thinned (Lewis & Shedler 1979).
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor


@final
@dataclass(frozen=True)
class Firing:
    """alone       probability that a feature fires on a row, rivals left aside; 0 for children
    groups, rivals, parents
                the group, the rival and the parent of a feature, -1 for none; rivals are of different groups
    share       of rows on which a group is on; correlation: part of a feature's firings that needs it on
    per_child   probability that a child fires where its parent does
    exclusive   at most one child of a parent at a time"""

    alone: Float64[Tensor, "n_features"]
    groups: Int64[Tensor, "n_features"]
    rivals: Int64[Tensor, "n_features"]
    parents: Int64[Tensor, "n_features"]
    n_groups: int
    share: float
    correlation: float
    per_child: float
    exclusive: bool

    def frequencies(self) -> Float64[Tensor, "n_features"]:
        """The share of rows on which each feature fires."""
        against = torch.where(self.rivals >= 0, self.alone[self.rivals], 0.0)
        found = self.alone * (1 - against / 2)
        return torch.where(self.parents >= 0, found[self.parents] * self.per_child, found)

    def switched(self) -> tuple[Float64[Tensor, "n_features"], Float64[Tensor, "n_features"]]:
        """The probabilities to fire with the feature's group on and off, which average to `alone`."""
        if not self.n_groups:
            return self.alone, self.alone
        off = self.alone * (1 - self.correlation)
        on = ((self.alone - (1 - self.share) * off) / self.share).clamp(max=ALMOST_ALWAYS)
        off = ((self.alone - self.share * on) / max(1 - self.share, 1e-12)).clamp(min=0)
        grouped = self.groups >= 0
        return torch.where(grouped, on, self.alone), torch.where(grouped, off, self.alone)


ALMOST_ALWAYS = 0.95


def fire(
    firing: Firing, n_rows: int, random: torch.Generator
) -> tuple[Int64[Tensor, "entry"], Int64[Tensor, "rows_plus_1"]]:
    """The features of every row, rising, and where each row's begin."""
    n = len(firing.alone)
    keys = _thrown(firing, n_rows, random)
    keys = keys[_outlive_rivals(firing, keys, random)]
    keys = torch.cat([keys, _children(firing, keys, random)]).sort().values
    counts = torch.bincount(keys // n, minlength=n_rows)
    return keys % n, torch.nn.functional.pad(counts.cumsum(0), (1, 0))


def _thrown(firing: Firing, n_rows: int, random: torch.Generator) -> Int64[Tensor, "entry"]:
    """row * n_features + feature of all that fire but children, rivals left aside; rising, each once."""
    n = len(firing.alone)
    on, off = (-torch.log1p(-probability) for probability in firing.switched())
    largest = torch.maximum(on, off)
    counts = torch.poisson(largest * n_rows, generator=random).long()
    feature = torch.repeat_interleave(torch.arange(n), counts)
    row = torch.randint(n_rows, (len(feature),), generator=random)
    if firing.n_groups:
        switch = torch.rand(n_rows, firing.n_groups, generator=random) < firing.share
        is_on = switch[row, firing.groups[feature].clamp(min=0)]
        rate = torch.where(is_on, on[feature], off[feature])
        stays = torch.rand(len(feature), generator=random, dtype=torch.float64) * largest[feature] < rate
        feature, row = feature[stays], row[stays]
    return torch.unique(row * n + feature)


def _outlive_rivals(firing: Firing, keys: Int64[Tensor, "entry"], random: torch.Generator) -> Bool[Tensor, "entry"]:
    """False for one of each pair of rivals on the same row."""
    n = len(firing.alone)
    feature = keys % n
    rival = firing.rivals[feature]
    other = keys - feature + rival
    at = torch.searchsorted(keys, other).clamp(max=max(len(keys) - 1, 0))
    both = (rival >= 0) & (keys[at] == other)
    coin = torch.rand(len(keys), generator=random) < 0.5
    mine = torch.where(feature < rival, coin, ~coin[at])  # the coin of the first of the two decides for both
    return ~(both & mine)


def _children(firing: Firing, keys: Int64[Tensor, "entry"], random: torch.Generator) -> Int64[Tensor, "child_entry"]:
    """The keys of the children that fire."""
    n = len(firing.alone)
    child = (firing.parents >= 0).nonzero().flatten()
    if not len(child):
        return keys[:0]
    per_parent = torch.bincount(firing.parents[child], minlength=n)
    first = torch.full((n,), n).scatter_reduce_(0, firing.parents[child], child, "amin")
    feature = keys % n
    keys, feature = keys[per_parent[feature] > 0], feature[per_parent[feature] > 0]
    if firing.exclusive:
        which = (torch.rand(len(keys), generator=random, dtype=torch.float64) / firing.per_child).long()
        fires = which < per_parent[feature]
        return (keys - feature + first[feature] + which)[fires]
    each = torch.repeat_interleave(torch.arange(len(keys)), per_parent[feature])
    start = torch.nn.functional.pad(per_parent[feature].cumsum(0), (1, 0))[:-1]
    which = torch.arange(len(each)) - start[each]
    fires = torch.rand(len(each), generator=random, dtype=torch.float64) < firing.per_child
    return (keys[each] - feature[each] + first[feature[each]] + which)[fires]
