"""What a study found, in sentences; the numbers in them are computed."""

from monosema.core.findings import Finding, short
from monosema.geometry.directions import expected_top, rough_top
from monosema.geometry.studying import Study

HALF = 0.5
"""eta2 from which on it is mostly the clusters that order tokens along a random direction."""

QUESTION = "Are the tokens nearest to a random direction alike?"


def sentences(found: Study, numbers: dict[str, Finding]) -> tuple[str, ...]:
    """The answer."""
    return (
        _verdict(found, numbers),
        _where_it_is(found),
        _treated(found),
        _nearness(found, numbers),
        _apart(found),
        _controls(found),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def _verdict(found: Study, numbers: dict[str, Finding]) -> str:
    """Whether eta2 is large, in words."""
    eta2, most = numbers["eta2"].value, float(found.shuffled.quantile(0.975))
    alike, most_alike = numbers["alike_neighbours"], float(found.shuffled_alike.quantile(0.975))
    if eta2 <= most:
        word = "No: along a random direction clusters are no more apart than labels without meaning."
    elif eta2 >= HALF:
        word = "Yes: it is mostly their cluster that orders tokens along a random direction."
    elif alike.value <= most_alike:
        word = (
            "No: along a random direction clusters are apart, but too little for its neighbours to share one more "
            "often than by chance."
        )
    else:
        word = (
            "Hardly: the neighbours of a random direction share a cluster more often than by chance, but most of what "
            f"orders tokens along it, {_percent(1 - eta2)} of the variance, is not their cluster."
        )
    return (
        f"{word} Clusters make {_percent(eta2)} of the variance along a random direction (eta2); labels dealt out at "
        f"random make {_percent(float(found.shuffled.mean()))}, and 97.5% of {found.config.shuffles} times at most "
        f"{_percent(most)}. Of the pairs among its {found.config.nearest} nearest tokens {_percent(alike.value)} share "
        f"a cluster; with labels dealt out at random {_percent(found.chance)}, and 97.5% of the times at most "
        f"{_percent(most_alike)}."
    )


def _where_it_is(found: Study) -> str:
    """Which cluster, and which axis, hold the variance between clusters."""
    without, by_axis = found.without, found.by_axis[0]
    best = int(by_axis.argmax())
    variances = found.sources[0].found.variances
    held = _percent(float(variances[0] / variances.sum()))
    rest = f"; without its tokens eta2 is {_percent(without.anova.eta2)}" if without.anova is not None else ""
    highest = (
        ", the highest of any"
        if best == 0
        else f"; the highest, {_percent(float(by_axis[best]))}, is that of direction {best + 1}"
    )
    return (
        f"The cluster '{without.name}' alone makes {_percent(without.share)} of what is between clusters{rest}. "
        f"Principal direction 1 holds {held} of all variance; its eta2 is {_percent(float(by_axis[0]))}{highest}."
    )


def _treated(found: Study) -> str:
    """What centring and whitening change."""
    own, centred, white = found.view(), found.view("centred"), found.view("whitened")
    alike = [_percent(float(view.alike.mean())) for view in (own, centred, white)]
    means = ": the plain mean over the principal directions, not the one weighted by their variance"
    return (
        f"Taking off the mean embedding brings the mean cosine of two tokens from {short(own.mean_cosine)} to "
        f"{short(centred.mean_cosine)} and eta2 of cosines from {_percent(own.units.eta2)} to "
        f"{_percent(centred.units.eta2)}; eta2 of the rows cannot change. Whitening brings the effective dimension "
        f"from {short(own.dimension)} to {short(white.dimension)} and eta2 of the rows to "
        f"{_percent(white.rows.eta2)}{means if found.clusters.everywhere else ''}. Neighbours share a cluster in "
        f"{alike[0]} of pairs, centred in {alike[1]}, whitened in {alike[2]}."
    )


def _nearness(found: Study, numbers: dict[str, Finding]) -> str:
    """Whether neighbours are near each other for another reason than being near the direction."""
    n, d = found.sources[0].found.coordinates.shape
    view, white = found.view(), found.view("whitened")
    excess, top = numbers["likeness_beyond_nearness"], numbers["nearest_cosine"]
    control = excess.control or 0.0
    if excess.low > control:
        word = "more than the mean and the covariance account for"
    elif excess.high < control:
        word = "less than the mean and the covariance alone would make it"
    else:
        word = "as much as the mean and the covariance make it"
    both, nearness = (short(float(each.mean())) for each in (view.pairs.cosine, view.pairs.by_nearness))
    whitened = short(float(white.near.values[:, 0].mean()))
    return (
        f"Two neighbours have a cosine of {both}; being near the direction accounts for {nearness} of it, and the "
        f"rest, {short(excess.value)}, is {word}: Gaussian rows have {short(control)}. Whitened, the rest is "
        f"{short(float(white.pairs.excess.mean()))}. The nearest token has a cosine of {short(top.value)} with the "
        f"direction, whitened {whitened}; of {n:,} uniform rows it would be {short(expected_top(n, d))} (roughly "
        f"sqrt(2 ln N / d) = {short(rough_top(n, d))})."
    )


def _apart(found: Study) -> str:
    """How well clusters are told apart where it is tried."""
    (apart, mixed), (told, chance) = found.apart, found.told
    return (
        f"In the whole space {_percent(apart.own_nearest)} of tokens are nearest to the mean of the others of their "
        f"cluster (labels shuffled: {_percent(mixed.own_nearest)}), with a silhouette of {short(apart.silhouette)} "
        f"({short(mixed.silhouette)}). Along the direction that tells clusters apart best eta2 is "
        f"{_percent(told.eta2[0])} on tokens that it was not found on ({_percent(chance.eta2[0])})."
    )


def _controls(found: Study) -> str:
    """What the matrices with nothing learnt in them give."""
    redrawn, gaussian = found.view(source=1), found.view(source=2)
    alike = [_percent(float(view.alike.mean())) for view in (redrawn, gaussian)]
    return (
        f"With the weights redrawn eta2 is {_percent(redrawn.rows.eta2)} and neighbours share a cluster in {alike[0]} "
        f"of pairs; Gaussian rows of the trained ones' mean and covariance give {_percent(gaussian.rows.eta2)} and "
        f"{alike[1]}. Whatever the rows are, labels without meaning give (k - 1) / (N - 1) = "
        f"{_percent(redrawn.rows.by_chance)} on average."
    )
