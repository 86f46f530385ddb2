"""How far apart clusters are, token by token and as a whole, and directions that tell them apart.

    own       distance of a token to the mean of the OTHER tokens of its cluster
    other     to the nearest mean of another cluster
    silhouette = (other - own) / max(own, other), in [-1, 1]; 0 for a token that is alone in its cluster

Distances are Euclidean. Leaving the token out keeps a small cluster from looking close to itself.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from monosema.geometry.axes import principal, skewed_to, whiten, whitened
from monosema.geometry.clusters import Clusters, sums
from monosema.geometry.variances import shares


@dataclass(frozen=True)
class Cluster:
    """A cluster beside the others.

    distance     of its mean to the grand mean
    spread       root mean square distance of its tokens to its mean
    between      its share of the variance between clusters
    silhouette   mean over its tokens
    own_nearest  share of its tokens that are nearer to their own mean, without themselves, than to any other
    nearest      the cluster whose mean is nearest to its own, at distance `gap`
    """

    name: str
    size: int
    distance: float
    spread: float
    between: float
    silhouette: float
    own_nearest: float
    nearest: str
    gap: float


@dataclass(frozen=True)
class Separation:
    """Every cluster, and means over all tokens."""

    clusters: tuple[Cluster, ...]
    silhouette: float
    own_nearest: float


def separation(rows: Float64[Tensor, "token d"], clusters: Clusters) -> Separation:
    """Of the rows that are in clusters."""
    X, labels, k = rows[clusters.inside], clusters.of[clusters.inside], len(clusters.names)
    X = X - X.mean(0)
    sizes = clusters.sizes
    means = sums(X, labels, k) / sizes[:, None]
    silhouettes, right = _by_token(X, labels, means, sizes)
    spread = (sums((X - means[labels]).square().sum(1, keepdim=True), labels, k)[:, 0] / sizes).sqrt()
    parts = sizes * means.square().sum(1)
    gaps = torch.cdist(means, means, compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(torch.inf)
    by = sums(torch.stack([silhouettes, right], 1), labels, k) / sizes[:, None]
    found = tuple(
        Cluster(
            name=clusters.names[i],
            size=int(sizes[i]),
            distance=float(means[i].norm()),
            spread=float(spread[i]),
            between=float(parts[i] / parts.sum()),
            silhouette=float(by[i, 0]),
            own_nearest=float(by[i, 1]),
            nearest=clusters.names[int(gaps[i].argmin())],
            gap=float(gaps[i].min()),
        )
        for i in range(k)
    )
    return Separation(found, float(silhouettes.mean()), float(right.mean()))


def _by_token(
    X: Float64[Tensor, "token d"],
    labels: Int64[Tensor, "token"],
    means: Float64[Tensor, "cluster d"],
    sizes: Int64[Tensor, "cluster"],
) -> tuple[Float64[Tensor, "token"], Float64[Tensor, "token"]]:
    """The silhouette of every token, and 1 where its own mean is the nearest, else 0."""
    squares = X.square().sum(1, keepdim=True) + means.square().sum(1) - 2 * X @ means.T
    apart = squares.clamp(min=0).sqrt()
    mine = torch.nn.functional.one_hot(labels, len(sizes)).bool()
    n = sizes[labels].double()
    own = apart[mine] * n / (n - 1).clamp(min=1)
    other = apart.masked_fill(mine, torch.inf).amin(1)
    alone, furthest = n == 1, torch.maximum(own, other)
    there = (furthest > 0) & ~alone
    silhouettes = torch.where(there, (other - own) / torch.where(there, furthest, 1.0), 0.0)
    return silhouettes, ((own < other) & ~alone).double()


@dataclass(frozen=True, eq=False)
class Discriminants:
    """Tokens that took no part in finding two directions that tell clusters apart, along those directions.

    tokens   which, counted among all rows
    scores   along the first and the second direction
    eta2     share of the variance along each that is between clusters
    """

    tokens: Int64[Tensor, "held"]
    scores: Float64[Tensor, "held 2"]
    eta2: tuple[float, float]


def discriminants(rows: Float64[Tensor, "token d"], clusters: Clusters, generator: torch.Generator) -> Discriminants:
    """The two directions of the largest variance between clusters to variance in all (Fisher's), found on a random
    half of the tokens in clusters and measured on the other: with many dimensions, any labels can be told apart on
    the tokens that the directions were found on."""
    fitted, held = _halves(clusters, generator)
    found = principal(rows[fitted])
    labels, k = clusters.of[fitted], len(clusters.names)
    sizes = torch.bincount(labels, minlength=k).clamp(min=1).double()
    _, _, directions = torch.linalg.svd(sums(whitened(found), labels, k) / sizes.sqrt()[:, None], full_matrices=False)
    scores = whiten(found, (rows[held] - rows[fitted].mean(0)) @ found.axes) @ directions[:2].T
    scores = scores * skewed_to(scores)
    first, second = shares(scores, clusters.of[held], k).eta2.tolist()
    return Discriminants(held, scores, (first, second))


def _halves(clusters: Clusters, generator: torch.Generator) -> tuple[Int64[Tensor, "fitted"], Int64[Tensor, "held"]]:
    """Every other token of each cluster, in a random order, and the rest."""
    where = clusters.inside.nonzero()[:, 0]
    where = where[torch.randperm(len(where), generator=generator)]
    where = where[clusters.of[where].argsort(stable=True)]
    return where[::2], where[1::2].sort().values
