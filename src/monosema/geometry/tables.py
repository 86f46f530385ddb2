"""The tables of a study: treatments beside one another, the exact variances beside measured ones, clusters, tokens."""

from monosema.core.exhibits import Table
from monosema.core.findings import short
from monosema.geometry.studying import Study
from monosema.geometry.views import TREATMENTS, View

SHOWN = 10
"""Directions whose nearest tokens are written out."""

PER_DIRECTION = 8
"""Tokens written out for each."""


def treatments(found: Study) -> Table:
    """Every source under every treatment."""
    headers = (
        "rows",
        "norm",
        "its spread",
        "mean cosine",
        "dimension",
        "eta2",
        "eta2 of cosines",
        "alike by cosine",
        "by product",
        "pairs beyond nearness",
        "nearest cosine",
        "distinct nearest",
        "commonest nearest",
    )
    rows = tuple(
        (f"{source.name}, {treatment}", *_seen(source.views[treatment]))
        for source in found.sources
        for treatment in TREATMENTS
    )
    says = (
        "Redrawn: the weights drawn anew. Gaussian: rows of the trained ones' mean and covariance. Labels dealt out "
        f"at random give eta2 {short(found.view().rows.by_chance)} on average and alike {short(found.chance)}, "
        "whatever the rows. Distinct nearest: nearest tokens that differ, over the number of directions."
    )
    return Table("As it is, centred, whitened", says, headers, rows)


def _seen(view: View) -> tuple[str, ...]:
    values = (
        view.norm,
        view.norm_spread,
        view.mean_cosine,
        view.dimension,
        view.rows.eta2,
        view.units.eta2,
        float(view.alike.mean()),
        float(view.alike_dot.mean()),
        float(view.pairs.excess.mean()),
        float(view.near.values[:, 0].mean()),
        view.hubs.distinct,
        view.hubs.commonest,
    )
    return tuple(_written(value) for value in values)


def _written(value: float) -> str:
    """To four digits, or three decimals."""
    return short(value) if abs(value) >= 1 else f"{round(value, 3) + 0.0:.3f}"


def variances(found: Study) -> Table:
    """The exact analysis of variance, and the mean over the directions that were drawn with its standard error."""
    rows, m = [], found.config.directions
    for source in found.sources:
        for treatment in TREATMENTS:
            view = source.views[treatment]
            exact, measured = view.rows, float(view.measured.between.mean())
            error = exact.deviation / m**0.5
            numbers = (exact.total, exact.within, exact.between)
            off = (measured - exact.between) / error if error > 0 else 0.0
            rows.append(
                (
                    f"{source.name}, {treatment}",
                    *(f"{number:.3g}" for number in numbers),
                    f"{measured:.3g} ± {error:.2g}",
                    f"{off:+.1f}",
                )
            )
    says = (
        "total = between + within, exactly, for a direction uniform on the sphere. Measured: the mean over "
        f"{m} directions, with the standard error that theory gives it, and how many of these it is off."
    )
    headers = ("rows", "total", "within", "between", "between, measured", "off by")
    return Table("Variance along a random direction", says, headers, tuple(rows))


def clusters(found: Study) -> Table:
    """Every cluster beside the others, and beside itself with labels shuffled."""
    headers = (
        "cluster",
        "tokens",
        "mean to grand mean",
        "spread",
        "share of between",
        "silhouette",
        "own mean nearest",
        "labels shuffled",
        "nearest cluster",
        "at",
    )
    rows = tuple(
        (
            own.name,
            f"{own.size:,}",
            short(own.distance),
            short(own.spread),
            f"{100 * own.between:.3g}%",
            short(own.silhouette),
            f"{100 * own.own_nearest:.3g}%",
            f"{100 * mixed.own_nearest:.3g}%",
            own.nearest,
            short(own.gap),
        )
        for own, mixed in zip(found.apart[0].clusters, found.apart[1].clusters, strict=True)
    )
    says = (
        "Distances are Euclidean, of the rows as they are. Own mean nearest: tokens nearer to the mean of the others "
        "of their cluster than to any other cluster's mean."
    )
    return Table("Clusters", says, headers, rows)


def neighbours(found: Study) -> Table:
    """The nearest tokens to the first directions, as it is and centred."""
    seen, view = found.near_centred, found.view()
    rows = []
    for i in range(min(SHOWN, found.config.directions)):
        rows.append((f"{i + 1}", _tokens(found, view.near.tokens[i].tolist()), _tokens(found, seen.tokens[i].tolist())))
    says = (
        "The tokens of the largest cosine with the direction, the nearest first, of the rows as they are and centred."
    )
    return Table("Nearest tokens to random directions", says, ("direction", "as it is", "centred"), tuple(rows))


def _tokens(found: Study, rows: list[int]) -> str:
    return ", ".join(found.vocabulary.written[row] for row in rows[:PER_DIRECTION])
