"""One matrix, as it is or treated, looked at from random directions.

centred     less its mean row
whitened    centred, and of the same variance in every direction in which it varies
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from monosema.geometry.axes import Principal, centred, dimension, mean_cosine, unit, whitened
from monosema.geometry.clusters import Clusters
from monosema.geometry.directions import Hubs, Nearest, Pairs, alike, hubs, nearest, pairs
from monosema.geometry.variances import Along, Anova, along, anova

Treatment = Literal["as it is", "centred", "whitened"]
TREATMENTS: tuple[Treatment, ...] = ("as it is", "centred", "whitened")


def treated(found: Principal, treatment: Treatment) -> Float64[Tensor, "token d"]:
    """The coordinates under a treatment."""
    match treatment:
        case "as it is":
            return found.coordinates
        case "centred":
            return centred(found)
        case "whitened":
            return whitened(found)


@dataclass(frozen=True, eq=False)
class View:
    """What is seen of some rows.

    norm, norm_spread   mean norm of a row, and its deviation over the mean
    mean_cosine         of all pairs
    dimension           participation ratio of the spectrum
    rows, units         the analysis of variance of the rows, and of the rows at norm 1: what orders tokens by
                        dot product, and by cosine
    measured            the first along the directions that were drawn
    near                nearest tokens by cosine
    near_inside         the same among the tokens in clusters alone, counted among them
    alike, alike_dot    share of pairs of these that share a cluster, nearest by cosine and by product
    """

    norm: float
    norm_spread: float
    mean_cosine: float
    dimension: float
    rows: Anova
    units: Anova
    measured: Along
    near: Nearest
    pairs: Pairs
    hubs: Hubs
    near_inside: Nearest
    alike: Float64[Tensor, "direction"]
    alike_dot: Float64[Tensor, "direction"]


def look(
    rows: Float64[Tensor, "token d"], clusters: Clusters, directions: Float64[Tensor, "direction d"], k: int
) -> View:
    """The rows from the directions, `k` nearest tokens each."""
    norms = rows.norm(dim=1)
    near = nearest(rows, directions, k)
    inside, alone = rows[clusters.inside], clusters.alone()
    near_inside = nearest(inside, directions, k)
    return View(
        norm=float(norms.mean()),
        norm_spread=float(norms.std(correction=0) / norms.mean()),
        mean_cosine=mean_cosine(rows),
        dimension=dimension(rows),
        rows=anova(rows, clusters),
        units=anova(unit(rows), clusters),
        measured=along(rows, clusters, directions),
        near=near,
        pairs=pairs(rows, near),
        hubs=hubs(near),
        near_inside=near_inside,
        alike=alike(alone, near_inside),
        alike_dot=alike(alone, nearest(inside, directions, k, by="dot")),
    )


def eta2_by_axis(found: Principal, clusters: Clusters) -> Float64[Tensor, "axis"]:
    """The share of the variance along each principal axis that is between clusters; 0 where there is none.

    With every row in a cluster, its mean weighted by the axes' variances is eta2 of the rows, and its plain mean over
    the axes that vary is eta2 of the whitened rows.
    """
    eta2 = along(centred(found), clusters, torch.eye(len(found.axes), dtype=torch.float64)).eta2
    return eta2[: found.rank]
