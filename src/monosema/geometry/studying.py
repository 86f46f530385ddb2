"""Everything that is measured of a matrix of token embeddings, beside what has nothing learnt in it.

rows [token, d] --+--> trained    as it is, centred, whitened    --> views from the same random directions
control [token, d]--> redrawn     the same
                  +--> gaussian   rows drawn with the mean and covariance of the trained ones
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from monosema.core.config import require
from monosema.core.seeding import generator
from monosema.geometry.axes import Principal, centred, gaussian_like, principal, whitened
from monosema.geometry.clusters import Clusters, chance_of_a_pair
from monosema.geometry.directions import Nearest, nearest, random_directions, shuffled_alike
from monosema.geometry.separating import Discriminants, Separation, discriminants, separation
from monosema.geometry.settings import GeometryConfig
from monosema.geometry.token_texts import Vocabulary
from monosema.geometry.variances import Anova, anova, shuffled_eta2
from monosema.geometry.views import TREATMENTS, Treatment, View, eta2_by_axis, look, treated

FEWEST = 8
"""Tokens that must be in clusters."""


@dataclass(frozen=True, eq=False)
class Source:
    """A matrix in its principal axes, and its views by treatment."""

    name: str
    found: Principal
    views: Mapping[Treatment, View]


@dataclass(frozen=True)
class Without:
    """The cluster that adds most to the variance between clusters: its share of it, and the analysis without it.

    None where fewer than two clusters are left.
    """

    name: str
    share: float
    anova: Anova | None


@dataclass(frozen=True, eq=False)
class Study:
    """sources      trained, redrawn, gaussian
    chance         of two tokens in clusters to share theirs
    shuffled       eta2 of the trained rows with labels dealt out anew, and of the whitened ones
    shuffled_alike share of pairs of neighbours that share a cluster with labels dealt out anew
    by_axis        eta2 along the principal axes, of trained and of redrawn
    apart          separation, and with shuffled labels
    told           discriminant directions, and with shuffled labels
    near_centred   nearest tokens to each direction with the mean taken off
    """

    config: GeometryConfig
    vocabulary: Vocabulary
    clusters: Clusters
    sources: tuple[Source, Source, Source]
    chance: float
    shuffled: Float64[Tensor, "shuffle"]
    shuffled_whitened: Float64[Tensor, "shuffle"]
    shuffled_alike: Float64[Tensor, "shuffle"]
    without: Without
    by_axis: tuple[Float64[Tensor, "axis"], Float64[Tensor, "axis2"]]
    apart: tuple[Separation, Separation]
    told: tuple[Discriminants, Discriminants]
    near_centred: Nearest

    def view(self, treatment: Treatment = "as it is", source: int = 0) -> View:
        """Of a source: 0 trained, 1 redrawn, 2 gaussian."""
        return self.sources[source].views[treatment]


def study(
    rows: Float[Tensor, "token d"],
    control: Float[Tensor, "token d"],
    vocabulary: Vocabulary,
    clusters: Clusters,
    config: GeometryConfig,
) -> Study:
    """Measure. `control` has nothing learnt in it; `vocabulary` and `clusters` have an entry for every row.

    Raises ConfigError when they do not, for rows of one dimension, and for fewer than 8 tokens in clusters or fewer
    than are looked at along a direction; DataError for rows that are not finite, or all the same.
    """
    n, d = rows.shape
    lengths = {n, len(control), len(vocabulary), len(clusters.of)}
    require(len(lengths) == 1, f"the matrix has {n} rows: control, vocabulary and clusters must have as many entries")
    require(d >= 2, "rows of one dimension have no geometry: give rows of two or more")
    least = max(FEWEST, config.nearest)
    require(clusters.n >= least, f"{clusters.n} tokens in clusters are too few: {least} are needed")
    trained = principal(rows)
    drawn = principal(gaussian_like(trained, generator(config.seed, "gaussian")))
    directions = random_directions(config.directions, d, generator(config.seed, "directions"))
    named = (("trained", trained), ("redrawn", principal(control)), ("gaussian", drawn))
    views: list[Mapping[Treatment, View]] = [
        {treatment: look(treated(found, treatment), clusters, directions, config.nearest) for treatment in TREATMENTS}
        for _, found in named
    ]
    first, second, third = (Source(name, found, seen) for (name, found), seen in zip(named, views, strict=True))
    X, shuffled = trained.coordinates, clusters.shuffled(generator(config.seed, "labels"))
    return Study(
        config=config,
        vocabulary=vocabulary,
        clusters=clusters,
        sources=(first, second, third),
        chance=float(chance_of_a_pair(clusters.sizes)),
        shuffled=shuffled_eta2(X, clusters, config.shuffles, generator(config.seed, "shuffles")),
        shuffled_whitened=shuffled_eta2(
            whitened(trained), clusters, config.shuffles, generator(config.seed, "shuffles", "whitened")
        ),
        shuffled_alike=shuffled_alike(
            clusters.alone(),
            views[0]["as it is"].near_inside,
            config.shuffles,
            generator(config.seed, "shuffles", "alike"),
        ),
        without=_without(X, clusters, views[0]["as it is"].rows),
        by_axis=(eta2_by_axis(trained, clusters), eta2_by_axis(second.found, clusters)),
        apart=(separation(X, clusters), separation(X, shuffled)),
        told=(
            discriminants(X, clusters, generator(config.seed, "halves")),
            discriminants(X, shuffled, generator(config.seed, "halves")),
        ),
        near_centred=nearest(centred(trained), directions, config.nearest),
    )


def _without(rows: Float64[Tensor, "token d"], clusters: Clusters, found: Anova) -> Without:
    """The analysis without the tokens of the cluster that adds most."""
    most = max(range(found.k), key=lambda i: found.by_cluster[i])
    name, share = clusters.names[most], found.by_cluster[most] / found.between
    if found.k < 3:
        return Without(name, share, None)
    of = torch.where(clusters.of == most, -1, clusters.of)
    of = torch.where(of > most, of - 1, of)
    names = tuple(other for other in clusters.names if other != name)
    return Without(name, share, anova(rows, Clusters(names, of)))
