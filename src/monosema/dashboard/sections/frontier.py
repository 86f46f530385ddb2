"""The frontier: what each dictionary keeps, against how many features it takes, with its control."""

import math
from dataclasses import dataclass

from monosema.core.findings import Finding
from monosema.dashboard.data import ReportData
from monosema.dashboard.plots import Frame, Line, Mark, Plot, clamped, line, place_labels
from monosema.dashboard.scales import Scale, linear, logarithmic
from monosema.evaluation.frontiers import FrontierPoint, frontier

PANELS = (
    ("variance_explained", "Variance explained"),
    ("loss_recovered_mean", "Loss recovered, against the mean"),
    ("loss_recovered_zero", "Loss recovered, against zero"),
)
WIDTH, HEIGHT = 380, 290
LEFT, RIGHT, TOP, BOTTOM = 46, 368, 12, 250

LOWEST, HIGHEST = -0.25, 1.1
"""Controls beyond these are drawn at the edge: a fraction of -40 would flatten everything else."""


@dataclass(frozen=True)
class FrontierView:
    """One plot a quantity."""

    panels: tuple[tuple[str, Plot], ...]
    has_control: bool


def view(data: ReportData) -> FrontierView | None:
    """The frontier of the run's scorecard; None without one, or when no point can be drawn."""
    points = () if data.scorecard is None else _drawable(data)
    panels = [(title, _panel(points, quantity, title)) for quantity, title in PANELS]
    found = tuple((title, plot) for title, plot in panels if plot is not None)
    return FrontierView(found, any(point.l0.control is not None for point in points)) if found else None


NEEDED = {"l0", *(quantity for quantity, _ in PANELS)}


def _drawable(data: ReportData) -> tuple[FrontierPoint, ...]:
    assert data.scorecard is not None
    complete = all(findings.keys() >= NEEDED for findings in data.scorecard.findings.values())
    return frontier(data.scorecard) if complete else ()


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _panel(points: tuple[FrontierPoint, ...], quantity: str, title: str) -> Plot | None:
    shown = [(p, _of(p, quantity)) for p in points if p.l0.value > 0 and _finite(_of(p, quantity).value)]
    if not shown:
        return None
    paired = [(p, y) for p, y in shown if _finite(y.control) and p.l0.control is not None and p.l0.control > 0]
    x = logarithmic([v for p, y in shown for v in _l0s(p, (p, y) in paired)], LEFT, RIGHT)
    y_scale = _y_scale([y for _, y in shown], [y for _, y in paired])
    frame = Frame(WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM, x.ticks(), y_scale.ticks(), "L0, features per token", title)
    trained = [(_mark(p, y, x, y_scale), p.dictionary) for p, y in shown]
    controls = [_control_mark(p, y, x, y_scale) for p, y in paired]
    names = {p.dictionary: mark for (p, _), (mark, _) in zip(shown, trained, strict=True)}
    ties: list[Line] = [
        line([(names[p.dictionary].x, names[p.dictionary].y), (control.x, control.y)], "tie")
        for (p, _), control in zip(paired, controls, strict=True)
    ]
    return Plot(
        frame,
        f"{title} against L0 for {len(shown)} dictionaries and their controls; the numbers are in the scorecard.",
        marks=(*controls, *(mark for mark, _ in trained)),
        lines=tuple(ties),
        labels=place_labels(frame, trained, controls),
    )


def _of(point: FrontierPoint, quantity: str) -> Finding:
    return {
        "variance_explained": point.variance_explained,
        "loss_recovered_mean": point.loss_recovered_mean,
        "loss_recovered_zero": point.loss_recovered_zero,
    }[quantity]


def _l0s(point: FrontierPoint, with_control: bool) -> list[float]:
    control = point.l0.control
    return [point.l0.value, control] if with_control and control is not None else [point.l0.value]


def _ends(finding: Finding) -> list[float]:
    return [v for v in (finding.value, finding.low, finding.high) if math.isfinite(v)]


def _y_scale(trained: list[Finding], paired: list[Finding]) -> Scale:
    values = [v for finding in trained for v in _ends(finding)]
    low, high = min([LOWEST, *values]), max([HIGHEST, *values])
    beside = [min(max(y.control, low), high) for y in paired if y.control is not None]
    return linear([*values, *beside], BOTTOM, TOP)


def _mark(point: FrontierPoint, y: Finding, x: Scale, y_scale: Scale) -> Mark:
    known = math.isfinite(y.low) and math.isfinite(y.high)
    return Mark(
        x=x.at(point.l0.value),
        y=y_scale.at(y.value),
        kind="trained",
        says=f"{point.dictionary}: {y}, at L0 {point.l0}",
        y_bar=(y_scale.at(y.low), y_scale.at(y.high)) if known else None,
    )


def _control_mark(point: FrontierPoint, y: Finding, x: Scale, y_scale: Scale) -> Mark:
    assert y.control is not None and point.l0.control is not None
    at, beyond = clamped(y_scale, y.control)
    note = " (off the scale)" if beyond else ""
    says = f"control of {point.dictionary}: {y.control:.3g}{note}, at L0 {point.l0.control:.3g}; {y.control_is}"
    return Mark(x.at(point.l0.control), at, "control", says, beyond=beyond)
