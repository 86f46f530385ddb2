"""The panels of a study of probes."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from monosema.core.exhibits import Curves, Line, Panel, Table
from monosema.core.findings import short
from monosema.probes.answers.study import Of, Study, Together


def panels(found: Study) -> tuple[Panel, ...]:
    """In the order in which they are read: overview, methods, what each is worth, then every method by site."""
    one_set = len(found.transfers[0].names) == 1 if found.transfers else True
    return (
        *overviews(found),
        methods(found),
        *planted(found),
        *ccs(found),
        *together(found),
        *reliabilities(found),
        *(() if one_set else (panel for moved in found.transfers for panel in moved.panels())),
        *by_site(found),
    )


def numbered(sites: Sequence[str]) -> str:
    return ", ".join(f"{i} {site}" for i, site in enumerate(sites))


def overviews(found: Study) -> Iterator[Curves]:
    """All methods by site: those with labels, those without."""
    groups = {
        "Methods that are told the labels": [one for one in found.of.values() if one.supervised],
        "Methods that are not": [one for one in found.of.values() if not one.supervised],
    }
    for title, members in groups.items():
        if members:
            yield _overview(found, title, members)


def _overview(found: Study, title: str, members: Sequence[Of]) -> Curves:
    x = tuple(range(len(found.sites)))
    lines = [
        Line(
            one.method,
            x,
            tuple(one.judged[site].accuracy.value for site in found.sites),
            role="control" if one.method == "random" else "measured",
        )
        for one in members
    ]
    majority = tuple(members[0].judged[site].accuracy.control or 0.0 for site in found.sites)
    named = [one for one in members if one.method != "random"] or members
    top = max(named, key=lambda one: one.at_best.accuracy.value)
    says = (
        f"Accuracy on held-out rows by site. Of these {top.method} is right most often where validation puts it, at "
        f"{top.best}: {top.at_best.accuracy.value:.1%}. Sites: {numbered(found.sites)}."
    )
    return Curves(title, says, "site", "accuracy", (*lines, Line("commoner class", x, majority, role="control")))


def by_site(found: Study) -> Iterator[Curves]:
    """A plot for each method: its accuracy with its interval, and all four controls."""
    x = tuple(range(len(found.sites)))
    for one, panel in zip(found.of.values(), found.layers().curves(), strict=True):
        other = [one.randomised[site] for site in found.sites]
        line = Line(
            "randomised model",
            x,
            tuple(f.value for f in other),
            tuple(f.low for f in other),
            tuple(f.high for f in other),
            role="control",
        )
        says = (
            f"{one.method} is right in {one.at_best.accuracy.value:.1%} of the held-out rows at {one.best}, which "
            f"validation chose; random directions reach {one.at_best.random.high:.1%}, shuffled labels "
            f"{one.at_best.shuffled.mean:.1%} on average, the randomised model {one.randomised[one.best].value:.1%}. "
            f"Sites: {numbered(found.sites)}."
        )
        yield replace(panel, says=says, lines=(*panel.lines, line))


def methods(found: Study) -> Table:
    """Every method at its best site beside its controls."""
    heads = (
        "method",
        "best site",
        "accuracy (95%)",
        "commoner class",
        "random directions",
        "shuffled labels",
        "randomised model",
        "|cos| mean difference",
        "calibration error",
        "sign",
    )
    above = [one.method for one in found.of.values() if one.shown]
    says = (
        f"The best site is chosen on validation rows, the numbers are of held-out ones. Above all controls: "
        f"{', '.join(above) or 'none'}."
    )
    return Table("Methods at their best sites", says, heads, tuple(_row(one) for one in found.of.values()))


def _row(one: Of) -> tuple[str, ...]:
    at = one.at_best
    return (
        one.method,
        one.best,
        f"{at.accuracy.value:.3f} ({at.accuracy.low:.3f}..{at.accuracy.high:.3f})",
        f"{at.accuracy.control:.3f}",
        f"{at.random.low:.3f}..{at.random.high:.3f}",
        f"{at.shuffled.mean:.3f} ({at.shuffled.low:.3f}..{at.shuffled.high:.3f})",
        f"{one.randomised[one.best].value:.3f}",
        f"{at.cosine.value:.3f} (random {at.cosine.control:.3f})",
        f"{one.reliability.ece.value:.3f}",
        at.probe.sign,
    )


def planted(found: Study) -> Iterator[Table]:
    """Truth or distractor, by method and site; and what the same methods read when they are asked for it."""
    those = [one for one in found.of.values() if one.which]
    if not those:
        return
    rows = []
    for one in those:
        cells = (one.which[site] for site in found.sites)
        said = (f"{cell.truth.value:.3f} / {cell.distractor.value:.3f} {cell.found}" for cell in cells)
        asked = one.at_best.distractor
        rows.append((one.method, *said, "" if asked is None else f"{asked.value:.3f}"))
    says = (
        "Accuracy on truth / on the distractor, of the better sign, and which of the two was found: the larger, or "
        "neither where it is not above one half. Last: the accuracy of the same method, at its best site, when it is "
        "asked for the distractor's labels."
    )
    heads = ("method", *found.sites, "asked for the distractor")
    yield Table("Truth or distractor", says, heads, tuple(rows))


def ccs(found: Study) -> Iterator[Table]:
    """What a low loss of CCS is worth."""
    if "ccs" not in found.of:
        return
    rows = []
    for site in found.sites:
        one = found.of["ccs"].judged[site]
        assert one.loss is not None and one.xor is not None
        cells = (one.loss.value, one.loss.control, one.xor.loss.value, one.accuracy.value, one.xor.accuracy.value)
        rows.append((site, *map(short, cells)))
    says = (
        "Answers XORed with a coin have the same loss and are right by chance; the probe that answers .4 to everything "
        "has .2. A low loss proves nothing about truth."
    )
    heads = ("site", "loss", "constant probe", "loss XOR a coin", "accuracy", "accuracy XOR a coin")
    yield Table("The loss of CCS", says, heads, tuple(rows))


def together(found: Study) -> Iterator[Table]:
    """Ensembles beside single probes."""
    those = [(one.method, one.together) for one in found.of.values() if one.together is not None]
    if found.restarts is not None:
        those.append((f"ccs at {found.of['ccs'].best}", found.restarts))
    if not those:
        return
    better = [f"{name} ({one.what})" for name, one in those if one.accuracy.value > one.best]
    says = (
        "Probabilities are calibrated on validation rows and averaged. More accurate together than the one member that "
        f"one would choose beforehand: {', '.join(better) or 'none'}. Chosen is, of sites, the best on validation "
        "rows; of restarts, the one with the lowest loss."
    )
    heads = (
        "method",
        "members",
        "together (95%)",
        "alone, on average",
        "alone, chosen",
        "Brier together",
        "Brier alone",
    )
    yield Table("Several probes together", says, heads, tuple(_together(name, one) for name, one in those))


def _together(name: str, one: Together) -> tuple[str, ...]:
    found = one.accuracy
    return (
        name,
        one.what,
        f"{found.value:.3f} ({found.low:.3f}..{found.high:.3f})",
        f"{found.control:.3f}",
        f"{one.best:.3f}",
        short(one.brier.value),
        short(one.brier.control),
    )


def reliabilities(found: Study) -> Iterator[Curves]:
    """Calibration of the best method with labels and of the best without."""
    for head in (found.best_where(lambda one: one.supervised), found.best_where(lambda one: not one.supervised)):
        if head is not None:
            yield head.reliability.curves(f"Are the probabilities of {head.method} at {head.best} right?")
