"""Tokens nearest to random directions: which they are, how near, how near to one another, and how often the same.

r_i            cosine of the direction and its i-th nearest token
top            r_1 of n uniform rows is about sqrt(2 ln n / d); `expected_top` is its exact mean
pairs          two of the nearest have a cosine of about r_i r_j, +- 1 / sqrt(d), if they share nothing but the
               direction; what is more than that is their own likeness
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float64, Int64
from scipy.integrate import trapezoid
from scipy.special import betainc
from torch import Tensor

from monosema.core.errors import ConfigError
from monosema.geometry.axes import unit
from monosema.geometry.clusters import Clusters

AT_ONCE = 32
"""Directions whose scores with all tokens are held at one time."""

By = Literal["cosine", "dot"]


def random_directions(n: int, d: int, generator: torch.Generator) -> Float64[Tensor, "direction d"]:
    """Uniform on the sphere."""
    return unit(torch.randn(n, d, generator=generator, dtype=torch.float64))


@dataclass(frozen=True, eq=False)
class Nearest:
    """tokens: rows, the nearest first; values: their cosine or product with the direction."""

    tokens: Int64[Tensor, "direction k"]
    values: Float64[Tensor, "direction k"]


def nearest(
    rows: Float64[Tensor, "token d"], directions: Float64[Tensor, "direction d"], k: int, by: By = "cosine"
) -> Nearest:
    """The `k` rows of the largest cosine, or product, with each direction. Raises ConfigError for more than all."""
    if k > len(rows):
        raise ConfigError(f"{k} nearest tokens were asked for: there are {len(rows)}")
    table = unit(rows) if by == "cosine" else rows
    found = [torch.topk(part @ table.T, k, dim=1) for part in directions.split(AT_ONCE)]
    return Nearest(torch.cat([part.indices for part in found]), torch.cat([part.values for part in found]))


@dataclass(frozen=True, eq=False)
class Pairs:
    """Means over the pairs among the nearest tokens of each direction.

    cosine       of the two tokens
    by_nearness  r_i r_j, which is all that two tokens have in common that are near the direction and nothing else
    """

    cosine: Float64[Tensor, "direction"]
    by_nearness: Float64[Tensor, "direction"]

    @property
    def excess(self) -> Float64[Tensor, "direction"]:
        """What the tokens have in common beyond the direction."""
        return self.cosine - self.by_nearness


def pairs(rows: Float64[Tensor, "token d"], found: Nearest) -> Pairs:
    """The cosines among the tokens that were found nearest by cosine."""
    near = unit(rows[found.tokens.flatten()]).view(*found.tokens.shape, -1)
    n_pairs = math.comb(found.tokens.shape[1], 2)
    first = torch.triu(near @ near.mT, diagonal=1).sum((1, 2)) / n_pairs
    r = found.values
    second = torch.triu(r[:, :, None] * r[:, None, :], diagonal=1).sum((1, 2)) / n_pairs
    return Pairs(first, second)


def alike(clusters: Clusters, found: Nearest) -> Float64[Tensor, "direction"]:
    """The share of pairs among the nearest tokens of each direction that share a cluster; all must be in one."""
    labels = clusters.of[found.tokens]
    same = (labels[:, :, None] == labels[:, None, :]).double()
    return torch.triu(same, diagonal=1).sum((1, 2)) / math.comb(labels.shape[1], 2)


def shuffled_alike(
    clusters: Clusters, found: Nearest, times: int, generator: torch.Generator
) -> Float64[Tensor, "shuffle"]:
    """The mean of `alike` over the directions with the labels dealt out anew, `times` times.

    The same few tokens are near many directions, so that it varies by more than the directions alone would make it.
    """
    return torch.stack([alike(clusters.shuffled(generator), found).mean() for _ in range(times)])


@dataclass(frozen=True)
class Hubs:
    """How often the same token is nearest.

    distinct    tokens that are nearest to any of the directions, over the number of directions
    commonest   share of the directions that have the commonest nearest token
    token       that one
    """

    distinct: float
    commonest: float
    token: int


def hubs(found: Nearest) -> Hubs:
    """Of the nearest tokens alone."""
    tokens, counts = found.tokens[:, 0].unique(return_counts=True)
    most = int(counts.argmax())
    n = len(found.tokens)
    return Hubs(len(tokens) / n, float(counts[most]) / n, int(tokens[most]))


def rough_top(n: int, d: int) -> float:
    """sqrt(2 ln n / d): about the largest cosine of n uniform rows with a direction, for d well over ln n."""
    return math.sqrt(2 * math.log(n) / d)


def expected_top(n: int, d: int, points: int = 20_001) -> float:
    """The exact mean of the largest cosine of n uniform rows with a direction: 1 less the integral of F^n."""
    x = np.linspace(-1, 1, points)
    tail = betainc((d - 1) / 2, 0.5, 1 - x**2) / 2
    cdf = np.where(x > 0, 1 - tail, tail)
    return 1.0 - float(trapezoid(cdf**n, x))
