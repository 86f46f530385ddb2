"""Activations whose features are known: the ground truth that a dictionary is judged by.

    x = sum_i a_i d_i + mean + noise          d_i unit directions in fewer dimensions than there are features

    dense       fire on a large share of all rows
    roots       fire by a power law of their rank
      groups    of roots fire together         a hidden switch raises the odds of all of a group at once
      rivals    pairs of roots never both      where both would fire, one of them, by a fair coin, does not
    children    fire only where their parent does; by default at most one of a parent's at a time

A row's features come with it. Every frequency is known exactly, whatever the correlations (`frequencies`).
Batches are endless, repeat exactly, and cost what their firings cost, not what their features would.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import final

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from monosema.core import fingerprints
from monosema.core.config import require, require_range, to_json
from monosema.core.seeding import generator
from monosema.corpus.firing import Firing, fire

SITE = "resid_post.0"
"""Where a world's rows are said to be, for what trains on them."""

ENDLESS = 2**40
MOST = 0.5
"""No root fires on more rows than this share."""


@dataclass(frozen=True)
class DenseConfig:
    """`n` features that fire on `share` of the rows each."""

    n: int = 0
    share: float = 0.4

    def __post_init__(self) -> None:
        require_range("n", self.n, 0)
        require_range("share", self.share, 0, 1, open_low=True)


@dataclass(frozen=True)
class FamilyConfig:
    """The `parents` most frequent roots have `children` children each, one of which fires on `share` of the
    parent's rows; not `exclusive`: each fires on share / children of them, whatever the others do."""

    parents: int = 0
    children: int = 4
    share: float = 0.5
    exclusive: bool = True

    def __post_init__(self) -> None:
        require_range("parents", self.parents, 0)
        require_range("children", self.children, 1)
        require_range("share", self.share, 0, 1)


@dataclass(frozen=True)
class GroupConfig:
    """Roots are dealt to `n` groups, each on in `share` of the rows; `correlation` in [0, 1] is the part of a
    feature's firings that needs its group on."""

    n: int = 0
    share: float = 0.1
    correlation: float = 0.5

    def __post_init__(self) -> None:
        require_range("n", self.n, 0)
        require(self.n != 1, "n is 1: with a single group there is nothing to be apart from; give 0 or 2")
        require_range("share", self.share, 0, 1, open_low=True)
        require_range("correlation", self.correlation, 0, 1)


@dataclass(frozen=True)
class WorldConfig:
    """l0: mean number of features on a row, of all kinds together; decay: exponent of the roots' power law.
    The first 2 `n_rivals` roots that are no parents are rivals in pairs. Magnitudes are 1 - spread + spread
    times an exponential: 1 on average. noise: standard deviation of each coordinate; offset: norm of the mean."""

    n_features: int = 1024
    d: int = 128
    l0: float = 12.0
    decay: float = 0.7
    spread: float = 0.5
    noise: float = 0.0
    offset: float = 0.0
    dense: DenseConfig = field(default_factory=DenseConfig)
    families: FamilyConfig = field(default_factory=FamilyConfig)
    groups: GroupConfig = field(default_factory=GroupConfig)
    n_rivals: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n_features", "d"):
            require_range(name, getattr(self, name), 1)
        for name in ("n_rivals", "seed", "decay", "noise", "offset"):
            require_range(name, getattr(self, name), 0)
        require_range("spread", self.spread, 0, 1)
        require(
            self.n_roots >= max(1, self.families.parents + 2 * self.n_rivals),
            f"{self.n_features} features leave {self.n_roots} roots for {self.families.parents} parents and "
            f"{2 * self.n_rivals} rivals: give more features",
        )
        most = MOST * (self.n_roots + self.families.share * self.families.parents) + self.dense.n
        require_range("l0", self.l0, self.dense.n * self.dense.share, most, open_low=True)

    @property
    def n_roots(self) -> int:
        return self.n_features - self.dense.n - self.families.parents * self.families.children


@dataclass(frozen=True)
class WorldRows:
    """Rows and the features in them: row r has features[offsets[r] : offsets[r + 1]], rising, with their magnitudes."""

    x: Float[Tensor, "row d"]
    features: Int64[Tensor, "entry"]
    magnitudes: Float[Tensor, "entry"]
    offsets: Int64[Tensor, "rows_plus_1"]


@dataclass(frozen=True)
class WorldBatch:
    """A batch as a store of activations gives it; every row is a document of its own."""

    activations: dict[str, Float[Tensor, "row d"]]
    documents: Int64[Tensor, "row"]
    positions: Int64[Tensor, "row"]


@final
class World:
    """A world of `config`; a source of batches for `dictionaries.train`.

    directions   of the features, unit norm
    frequencies  the share of rows on which each fires
    parents      of each feature, -1 for none
    """

    n_rows = ENDLESS

    def __init__(self, config: WorldConfig) -> None:
        self.config = config
        drawn = torch.randn(config.n_features, config.d, generator=generator(config.seed, "directions"))
        self.directions: Float[Tensor, "n_features d"] = torch.nn.functional.normalize(drawn, dim=1)
        mean = torch.nn.functional.normalize(torch.randn(config.d, generator=generator(config.seed, "mean")), dim=0)
        self.mean: Float[Tensor, "d"] = config.offset * mean
        self.firing = _firing(config)

    @property
    def widths(self) -> Mapping[str, int]:
        return {SITE: self.config.d}

    @cached_property
    def fingerprint(self) -> str:
        return fingerprints.of_bytes([repr(to_json(self.config)).encode()])

    @property
    def frequencies(self) -> Float64[Tensor, "n_features"]:
        return self.firing.frequencies()

    @property
    def parents(self) -> Int64[Tensor, "n_features"]:
        return self.firing.parents

    def rows(self, n: int, *purpose: str | int) -> WorldRows:
        """`n` rows; the same for the same `purpose`, and independent of those for another."""
        config, random = self.config, generator(self.config.seed, "rows", *purpose)
        features, offsets = fire(self.firing, n, random)
        sizes = torch.empty(len(features)).exponential_(generator=random)
        magnitudes = 1 - config.spread + config.spread * sizes
        x = torch.nn.functional.embedding_bag(
            features, self.directions, offsets[:-1], mode="sum", per_sample_weights=magnitudes
        )
        x += self.mean
        if config.noise:
            x += config.noise * torch.randn(n, config.d, generator=random)
        return WorldRows(x, features, magnitudes, offsets)

    def batches(self, batch_size: int, seed: int, start: int = 0) -> Iterator[WorldBatch]:
        """Endless batches from batch `start` on."""
        index = torch.arange(batch_size)
        step = start
        while True:
            x = self.rows(batch_size, "batch", batch_size, seed, step).x
            yield WorldBatch({SITE: x}, index, torch.zeros_like(index))
            step += 1


def _firing(config: WorldConfig) -> Firing:
    """The frequencies of every kind, the roots' scaled so that all together make l0."""
    n_dense, n_roots = config.dense.n, config.n_roots
    law = torch.arange(1, n_roots + 1, dtype=torch.float64) ** -config.decay
    groups = torch.full((config.n_features,), -1)
    parents, rivals = torch.full_like(groups, -1), torch.full_like(groups, -1)
    roots = torch.arange(n_dense, n_dense + n_roots)
    if config.groups.n:
        groups[roots] = torch.arange(n_roots) % config.groups.n
    first = n_dense + config.families.parents
    pairs = torch.arange(first, first + 2 * config.n_rivals).view(-1, 2)
    rivals[pairs[:, 0]], rivals[pairs[:, 1]] = pairs[:, 1], pairs[:, 0]
    children = torch.arange(n_dense + n_roots, config.n_features)
    parents[children] = n_dense + torch.arange(len(children)) // config.families.children

    def scaled(factor: float) -> Firing:
        alone = torch.zeros(config.n_features, dtype=torch.float64)
        alone[:n_dense] = config.dense.share
        alone[roots] = (factor * law).clamp(max=MOST)
        return Firing(
            alone,
            groups,
            rivals,
            parents,
            config.groups.n,
            config.groups.share,
            config.groups.correlation,
            config.families.share / config.families.children,
            exclusive=config.families.exclusive,
        )

    low, high = 0.0, 1.0 + n_roots**config.decay
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if float(scaled(middle).frequencies().sum()) < config.l0 else (low, middle)
    found = scaled(high)
    require(
        math.isclose(float(found.frequencies().sum()), config.l0, rel_tol=1e-3),
        f"l0 is {config.l0}: with these features no more than {float(found.frequencies().sum()):.1f} fire on a row",
    )
    return found
