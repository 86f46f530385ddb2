"""An erasure as an exhibit."""

from typing import Any

from monosema.core.exhibits import Curves, Exhibit, Line, Panel, Points, Scatter, Table, on_shared_axes
from monosema.core.findings import Finding, short
from monosema.probes.answers.erasure import AtSite, Behind, Erasure

QUESTION = "Can the label be erased from the activations, what is still read, and what does it cost?"
DRAWN = 300
"""Points of each class in the scatters."""


def shown(found: Erasure, settings: Any, what: str) -> Exhibit:
    """`what` says of which model and rows; `settings` is the config that was asked for."""
    fit, validation, test = found.n_rows
    how = (
        f"{what}. Erasers are fitted on {fit:,} rows and spliced in at every position; sites are compared on "
        f"{validation:,}, certificate and price are of {test:,} held-out rows, none of a group that another part has. "
        "Beside each stands an eraser of as many random directions."
    )
    panels: tuple[Panel, ...] = (
        *scatters(found.chosen),
        *(_certificate(one) for one in found.at.values()),
        _prices(found),
        _behind(found),
    )
    return Exhibit("erase", QUESTION, _sentences(found), panels, _findings(found), settings, how, "erase")


def scatters(one: AtSite) -> tuple[Scatter, ...]:
    """Held-out rows before and after, on the same axes."""
    gap = {name: _gap(one, name) for name in ("before", "after")}
    says = {
        "before": f"The means of the two classes are {short(gap['before'])} apart along the first axis.",
        "after": f"They are {short(gap['after'])} apart: {one.eraser}.",
    }
    panels = []
    for name, sentence in says.items():
        rows = one.moved.before if name == "before" else one.moved.after
        points = []
        for label, word in ((0, "false"), (1, "true")):
            x, y = rows[one.moved.y == label][:DRAWN].T.tolist()
            points.append(Points(word, tuple(x), tuple(y)))
        title = f"Held-out rows at {one.site}, {name} erasure"
        axes = ("along the difference of class means", "main direction orthogonal to it")
        panels.append(Scatter(title, sentence, *axes, tuple(points)))
    return on_shared_axes(*panels)


def _gap(one: AtSite, name: str) -> float:
    rows = one.moved.before if name == "before" else one.moved.after
    return abs(float(rows[one.moved.y == 1, 0].mean() - rows[one.moved.y == 0, 0].mean()))


def _certificate(one: AtSite) -> Table:
    table = one.certificate.table()
    return Table(f"{table.title} at {one.site}", f"{one.certificate.says[0]} {table.says}", table.headers, table.rows)


def _prices(found: Erasure) -> Table:
    rows = []
    for one in found.at.values():
        cells = (str(one.price[name]) for name in ("mse", "share_changed", "variance_removed"))
        rows.append((one.site, str(one.eraser.rank), f"{found.readable[one.site]:.3f}", *cells))
    says = "On held-out rows; the control is a random eraser of equal rank."
    heads = (
        "site",
        "directions",
        "read before, on validation rows",
        "mean squared change",
        "share changed",
        "variance removed",
    )
    return Table("What it costs", says, heads, tuple(rows))


def _behind(found: Erasure) -> Curves:
    sites = tuple(found.behind)
    x = tuple(range(len(sites)))

    def line(name: str, of: list[Finding], control: bool = False) -> Line:
        values, low, high = (tuple(getattr(f, what) for f in of) for what in ("value", "low", "high"))
        return Line(name, x, values, low, high, role="control" if control else "measured")

    each = list(found.behind.values())
    majority = tuple(one.clean.control or 0.0 for one in each)
    lines = (
        line("as it is", [one.clean for one in each]),
        line(f"with {found.method} spliced in", [one.erased for one in each]),
        line("with random erasers spliced in", [one.random for one in each], control=True),
        Line("commonest class", x, majority, role="control"),
    )
    numbered = ", ".join(f"{i} {site}" for i, site in enumerate(sites))
    says = f"{_again(found)} Erased at {', '.join(found.at)}. Sites: {numbered}."
    return Curves("What a probe refitted at each site reads", says, "site", "accuracy on held-out rows", lines)


def _again(found: Erasure) -> str:
    """What is read behind the last erased site."""
    sites = list(found.behind)
    later = sites[sites.index(list(found.at)[-1]) + 1 :]
    if not later:
        return "There is no site behind the last one erased."
    most = max(later, key=lambda site: found.behind[site].erased.value)
    one = found.behind[most]
    back = one.erased.low > (one.erased.control or 0.0)
    verdict = "the model computes it again" if back else "not shown to be above the commonest class"
    return (
        f"Behind it a logistic regression reads at most {one.erased.value:.3f}, at {most} ({one.clean.value:.3f} "
        f"without the eraser, commonest class {one.erased.control:.3f}): {verdict}."
    )


def _sentences(found: Erasure) -> tuple[str, ...]:
    one = found.chosen
    before = one.certificate.findings["logistic_before"]
    cost = one.price
    left = "" if one is found.first else ", of what the erasers before it leave"
    said = [
        f"At {one.site} a logistic regression is right on {before} before erasure{left}. Eraser: {one.eraser}.",
        *one.certificate.says,
        f"It changes a row by {short(cost['share_changed'].value)} of the variance, random directions of equal rank by "
        f"{short(cost['share_changed'].control)}.",
    ]
    if found.loss:
        added = found.loss["loss_added"]
        said.append(
            f"Spliced in at every position it adds {short(added.value)} nats per token (95% {short(added.low)} to "
            f"{short(added.high)}) to {short(found.loss['loss'].control)}; random erasers of equal rank add "
            f"{short(added.control)}."
        )
    else:
        said.append("The model does not predict the next token, so no loss is measured.")
    said.append(_again(found))
    if found.answers:
        clean, erased, random = (found.answers[name].value for name in ("clean", "erased", "random"))
        said.append(
            f"Asked itself, the model gives the right answer to {clean:.1%} of the held-out prompts, with the eraser "
            f"to {erased:.1%}, with random ones of equal rank to {random:.1%}."
        )
    if len(found.at) > 1:
        said.append("Each site's eraser is fitted on what those before it leave.")
    return tuple(said)


def _findings(found: Erasure) -> dict[str, Finding]:
    one = found.chosen
    numbers = dict(one.certificate.findings) | dict(one.price) | dict(found.loss)
    numbers |= {f"answers_{name}": finding for name, finding in found.answers.items()}
    last: Behind = list(found.behind.values())[-1]
    return numbers | {"behind_clean": last.clean, "behind_erased": last.erased, "behind_random": last.random}
