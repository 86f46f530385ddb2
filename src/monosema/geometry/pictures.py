"""The plots of a study: tokens in two dimensions, clusters by principal direction, nearness by rank, the spectrum."""

from collections.abc import Sequence

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from monosema.core.exhibits import Curves, Line, Points, Scatter, on_shared_axes
from monosema.core.findings import short
from monosema.core.seeding import generator
from monosema.geometry.axes import centred
from monosema.geometry.clusters import Clusters
from monosema.geometry.directions import expected_top
from monosema.geometry.studying import Study


def principal_pair(found: Study) -> tuple[Scatter, ...]:
    """Tokens along the two principal directions: trained, and with the weights redrawn."""
    rows = drawn(found, torch.arange(len(found.vocabulary)))
    trained, redrawn = (source.found for source in found.sources[:2])
    shares = [float(each.variances[:2].sum() / each.variances.sum()) for each in (trained, redrawn)]
    titles = ("Two principal directions", "Two principal directions, weights redrawn")
    panels = [
        Scatter(
            title,
            f"Up to {found.config.drawn} tokens of each cluster; the two directions hold {100 * share:.3g}% of the "
            "variance. Both plots have the same axes.",
            "first direction, less the mean",
            "second direction",
            points(found, rows, centred(each)[rows, :2], found.clusters),
        )
        for title, each, share in zip(titles, (trained, redrawn), shares, strict=True)
    ]
    return on_shared_axes(*panels)


def discriminant_pair(found: Study) -> tuple[Scatter, ...]:
    """Tokens along the two directions that tell clusters apart best, and the same for shuffled labels."""
    titles = ("Two discriminant directions", "Two discriminant directions, labels shuffled")
    panels = []
    for title, told in zip(titles, found.told, strict=True):
        rows = drawn(found, told.tokens)
        panels.append(
            Scatter(
                title,
                "Directions found on half of the tokens, drawn for the other; eta2 along them is "
                f"{short(told.eta2[0])} and {short(told.eta2[1])}. Marks are the clusters themselves in both.",
                "first direction",
                "second direction",
                points(found, rows, told.scores[torch.isin(told.tokens, rows)], found.clusters),
            )
        )
    return on_shared_axes(*panels)


def drawn(found: Study, among: Int64[Tensor, "token"]) -> Int64[Tensor, "row"]:
    """The tokens of a picture, rising: of `among`, as many of each cluster, and of those in none, as are asked for."""
    parts = []
    for i in range(-1, len(found.clusters.names)):
        where = among[found.clusters.of[among] == i]
        order = torch.randperm(len(where), generator=generator(found.config.seed, "drawn", i))
        parts.append(where[order[: found.config.drawn]])
    return torch.cat(parts).sort().values


def points(
    found: Study, rows: Int64[Tensor, "row"], places: Float64[Tensor, "row 2"], clusters: Clusters
) -> tuple[Points, ...]:
    """The rows at their places, a class for every cluster; tokens in none come first, in grey."""
    made = []
    for i in range(-1, len(clusters.names)):
        mine = clusters.of[rows] == i
        x, y = (tuple(round(v, 5) for v in places[mine, axis].tolist()) for axis in (0, 1))
        labels = tuple(found.vocabulary.written[int(row)] for row in rows[mine])
        if i >= 0:
            made.append(Points(clusters.names[i], x, y, labels))
        elif labels:
            made.append(Points("in no cluster", x, y, labels, "control"))
    return tuple(made)


def by_axis(found: Study) -> Curves:
    """eta2 along each principal direction."""
    own, other = found.by_axis
    axis = _numbers(max(len(own), len(other)))
    expected = found.view().rows.by_chance
    lines = (
        Line("trained", axis[: len(own)], _rounded(own)),
        Line("weights redrawn", axis[: len(other)], _rounded(other), role="control"),
        Line("(k - 1) / (N - 1)", (axis[0], axis[-1]), (expected, expected), role="theory"),
    )
    best = int(own.argmax())
    says = f"eta2 is highest, {short(float(own[best]))}, along principal direction {best + 1}."
    if found.clusters.everywhere:
        says += (
            f" Weighted by the variance along each direction its mean is {short(found.view().rows.eta2)}; the plain "
            f"mean, which is that of whitened rows, {short(float(own.mean()))}."
        )
    title = "Which principal directions know the clusters"
    return Curves(title, says, "principal direction", "eta2", lines, log_x=True)


def by_rank(found: Study) -> Curves:
    """How near the nearest tokens are, by their rank."""
    rank = _numbers(found.config.nearest)
    own, white, redrawn, gaussian = (
        _rounded(view.near.values.mean(0))
        for view in (found.view(), found.view("whitened"), found.view(source=1), found.view(source=2))
    )
    n, d = found.sources[0].found.coordinates.shape
    top = expected_top(n, d)
    lines = (
        Line("trained", rank, own),
        Line("trained, whitened", rank, white),
        Line("weights redrawn", rank, redrawn, role="control"),
        Line("Gaussian of the same covariance", rank, gaussian, role="control"),
        Line("nearest of N uniform rows", (rank[0], rank[-1]), (top, top), role="theory"),
    )
    says = (
        f"The nearest token has a cosine of {short(own[0])} with a random direction on average, whitened "
        f"{short(white[0])}; the nearest of {n:,} uniform rows {short(top)}."
    )
    return Curves("How near the nearest tokens are", says, "rank of the neighbour", "cosine with the direction", lines)


def spectrum(found: Study) -> Curves:
    """The share of the variance along each principal direction."""
    lines = []
    for source, role in zip(found.sources[:2], ("measured", "control"), strict=True):
        variances = source.found.variances[: source.found.rank]
        name = "trained" if role == "measured" else "weights redrawn"
        lines.append(Line(name, _numbers(len(variances)), _rounded(variances / variances.sum(), 9), role=role))
    own, redrawn = (source.found.dimension for source in found.sources[:2])
    says = (
        f"The participation ratio of the trained spectrum is {short(own)}, of the redrawn {short(redrawn)}, of "
        f"{found.sources[0].found.coordinates.shape[1]} dimensions."
    )
    title = "Variance by principal direction"
    return Curves(title, says, "principal direction", "share of the variance", tuple(lines), log_x=True, log_y=True)


def _numbers(n: int) -> tuple[int, ...]:
    return tuple(range(1, n + 1))


def _rounded(values: Float64[Tensor, "n"], digits: int = 6) -> tuple[float, ...]:
    numbers: Sequence[float] = values.tolist()
    return tuple(round(v, digits) for v in numbers)
