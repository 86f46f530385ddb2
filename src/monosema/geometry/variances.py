"""How much of what orders tokens along a random direction is their cluster: an exact analysis of variance.

    v uniform on the sphere in d dimensions, rows t_n, clusters of weights pi_i, means mu_i, grand mean mu

    total    = E_v Var_n (v.t_n)                = mean_n |t_n - mu|^2 / d
    between  = E_v sum_i pi_i (v.(mu_i - mu))^2 = sum_i pi_i |mu_i - mu|^2 / d
    within   = total - between                  = sum_i pi_i (mean |t|^2 in i - |mu_i|^2) / d
    eta2     = between / total

because E_v (v.t)^2 = |t|^2 / d. For rows of norm 1 the mean |t|^2 is 1. Only rows in clusters take part.

What is to be expected of clusters without meaning is exact too, whatever the rows are: with the labels of n rows
dealt out at random to k clusters, E eta2 = (k - 1) / (n - 1).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from monosema.core.errors import DataError
from monosema.geometry.clusters import Clusters, sums


@dataclass(frozen=True)
class Anova:
    """Variances of a score along a random direction, in the rows' units squared.

    deviation    of the variance between clusters from one direction to the next; divided by the root of the number of
                 directions it is the standard error of a measured mean
    by_cluster   what each cluster adds to `between`
    """

    between: float
    within: float
    total: float
    n: int
    k: int
    deviation: float
    by_cluster: tuple[float, ...]

    @property
    def eta2(self) -> float:
        """The share of the variance that is between clusters, in [0, 1]."""
        return self.between / self.total

    @property
    def by_chance(self) -> float:
        """What is to be expected of eta2 with the labels dealt out at random."""
        return (self.k - 1) / (self.n - 1)


def anova(rows: Float64[Tensor, "token d"], clusters: Clusters) -> Anova:
    """The exact analysis of variance. Raises DataError when the rows in clusters are all the same."""
    inside, labels, k = rows[clusters.inside], clusters.of[clusters.inside], len(clusters.names)
    n, d = inside.shape
    inside = inside - inside.mean(0)
    total = float(inside.square().sum()) / n / d
    if total == 0:
        raise DataError(f"all {n} rows in clusters are the same: there is no variance to share out")
    means = sums(inside, labels, k) / clusters.sizes[:, None]
    shares = clusters.sizes * means.square().sum(1) / n / d
    within = float((inside - means[labels]).square().sum()) / n / d
    return Anova(
        between=float(shares.sum()),
        within=within,
        total=total,
        n=n,
        k=k,
        deviation=_deviation(means * (clusters.sizes[:, None].double() / n).sqrt()),
        by_cluster=tuple(shares.tolist()),
    )


def _deviation(factor: Float64[Tensor, "cluster d"]) -> float:
    """Of v.B v over uniform v, for B = factor^T factor: variance 2 (tr B^2 - (tr B)^2 / d) / (d (d + 2))."""
    d = factor.shape[1]
    gram = factor @ factor.T
    variance = 2 * (gram.square().sum() - gram.trace().square() / d) / (d * (d + 2))
    return float(variance.clamp(min=0).sqrt())


@dataclass(frozen=True, eq=False)
class Along:
    """The variances of the scores along each of some directions."""

    between: Float64[Tensor, "direction"]
    total: Float64[Tensor, "direction"]

    @property
    def eta2(self) -> Float64[Tensor, "direction"]:
        """Of each direction; 0 where nothing varies."""
        return torch.where(self.total > 0, self.between / torch.where(self.total > 0, self.total, 1.0), 0.0)


def along(rows: Float64[Tensor, "token d"], clusters: Clusters, directions: Float64[Tensor, "direction d"]) -> Along:
    """The same analysis along given directions, which need not be of norm 1."""
    scores = rows[clusters.inside] @ directions.T
    return shares(scores, clusters.of[clusters.inside], len(clusters.names))


def shares(scores: Float64[Tensor, "token direction"], labels: Int64[Tensor, "token"], n_clusters: int) -> Along:
    """The variances of scores that are there already. A cluster may have no token."""
    scores = scores - scores.mean(0)
    sizes = torch.bincount(labels, minlength=n_clusters).double()
    squares = sums(scores, labels, n_clusters).square() / sizes.clamp(min=1)[:, None]
    return Along(squares.sum(0) / len(scores), scores.square().mean(0))


def shuffled_eta2(
    rows: Float64[Tensor, "token d"], clusters: Clusters, times: int, generator: torch.Generator
) -> Float64[Tensor, "shuffle"]:
    """eta2 with the labels dealt out anew, `times` times."""
    inside, labels, k = rows[clusters.inside], clusters.of[clusters.inside], len(clusters.names)
    inside = inside - inside.mean(0)
    total = inside.square().sum()

    def drawn() -> Iterator[Float64[Tensor, ""]]:
        for _ in range(times):
            found = sums(inside, labels[torch.randperm(len(labels), generator=generator)], k)
            yield (found.square().sum(1) / clusters.sizes).sum() / total

    return torch.stack(list(drawn()))
