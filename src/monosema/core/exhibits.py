"""What an experiment shows, as plain values: no torch, no pixels, no HTML.

    config --experiment--> Exhibit --dashboard.write_exhibit--> a page, and an SVG file for each panel

    Exhibit
    |-- question, answer    sentences with the measured numbers in them
    |-- findings            every headline number with its control
    |-- panels              Curves | Heatmap | Arrows | Scatter | Table
    `-- settings, how       what was asked for, and what ran

Every panel has a title and `says`: one sentence that tells what is to be seen, for those who cannot see it too.
A number that is not there is NaN; it leaves a gap.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import Any, Literal

from monosema.core.config import require, to_json
from monosema.core.findings import Finding

Number = int | float

Role = Literal["measured", "theory", "control"]
"""What a line is: solid colour, dashed ink, or grey."""


@dataclass(frozen=True)
class Line:
    """A line through points (x, y); a band from `low` to `high` around it where they are given."""

    name: str
    x: tuple[Number, ...]
    y: tuple[Number, ...]
    low: tuple[Number, ...] = ()
    high: tuple[Number, ...] = ()
    role: Role = "measured"

    def __post_init__(self) -> None:
        same = len(self.x) == len(self.y) and len(self.low) == len(self.high) and len(self.low) in (0, len(self.x))
        require(same, f"line '{self.name}': x, y, low and high must be equally long, and not empty")
        require(len(self.x) > 0, f"line '{self.name}' has no points")


@dataclass(frozen=True)
class Curves:
    """Lines over one axis. On a logarithmic axis values that are not above 0 leave a gap."""

    title: str
    says: str
    x_title: str
    y_title: str
    lines: tuple[Line, ...]
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True)
class Heatmap:
    """A colour for every cell, with lines of theory drawn over it.

    x, y      the cells' centres, rising; evenly apart, or evenly in the logarithm with `log_x`, `log_y`
    cells     a row for every y, a value for every x: a number in [low, high], or with `classes` the
              number of a class, counted from 0
    """

    title: str
    says: str
    x_title: str
    y_title: str
    x: tuple[Number, ...]
    y: tuple[Number, ...]
    cells: tuple[tuple[Number, ...], ...]
    classes: tuple[str, ...] = ()
    low: Number = 0.0
    high: Number = 1.0
    lines: tuple[Line, ...] = ()
    log_x: bool = False
    log_y: bool = False

    def __post_init__(self) -> None:
        fits = len(self.cells) == len(self.y) and all(len(row) == len(self.x) for row in self.cells)
        require(
            fits and bool(self.x), f"heatmap '{self.title}': cells must have a row for every y, of a value for every x"
        )


@dataclass(frozen=True)
class ArrowFrame:
    """A moment: `label` says when, `points` are directions in 2 or 3 dimensions, one for each feature."""

    label: str
    points: tuple[tuple[Number, ...], ...]
    weights: tuple[Number, ...] = ()
    """One for each feature, such as its importance, in [0, 1]: the larger, the darker. None: all alike."""


@dataclass(frozen=True)
class Arrows:
    """Feature directions from the origin, through training: frame after frame on the same scale."""

    title: str
    says: str
    frames: tuple[ArrowFrame, ...]

    def __post_init__(self) -> None:
        shapes = {tuple(map(len, frame.points)) for frame in self.frames}
        one = len(shapes) == 1 and {n for shape in shapes for n in shape} in ({2}, {3})
        require(one, f"arrows '{self.title}': every frame must have the same features, all in 2 or all in 3 dimensions")


@dataclass(frozen=True)
class Points:
    """Points (x, y) of one class, with what each is, if it is said. Those of a control are grey."""

    name: str
    x: tuple[Number, ...]
    y: tuple[Number, ...]
    labels: tuple[str, ...] = ()
    role: Literal["measured", "control"] = "measured"

    def __post_init__(self) -> None:
        same = len(self.x) == len(self.y) and len(self.labels) in (0, len(self.x))
        require(same, f"points '{self.name}': x and y must be equally long, and so must labels, if there are any")


@dataclass(frozen=True)
class Scatter:
    """Points in two dimensions, a colour and a shape for every class.

    x_span, y_span    the ends of the axes; () for as far as the points go. See `on_shared_axes`
    """

    title: str
    says: str
    x_title: str
    y_title: str
    points: tuple[Points, ...]
    x_span: tuple[()] | tuple[Number, Number] = ()
    y_span: tuple[()] | tuple[Number, Number] = ()

    def __post_init__(self) -> None:
        rising = all(span[0] < span[1] for span in (self.x_span, self.y_span) if span)
        require(rising, f"scatter '{self.title}': x_span and y_span must go from a lower to a higher number")


def on_shared_axes(*panels: Scatter) -> tuple[Scatter, ...]:
    """The panels with axes that hold the points of all of them. The page sets them side by side."""
    every = [points for panel in panels for points in panel.points]
    x, y = _span(v for points in every for v in points.x), _span(v for points in every for v in points.y)
    return tuple(replace(panel, x_span=x, y_span=y) for panel in panels)


def _span(values: Iterable[Number]) -> tuple[()] | tuple[Number, Number]:
    """From the lowest to the highest number with a little room; () when there is none."""
    found = [v for v in values if isfinite(v)]
    if not found:
        return ()
    low, high = min(found), max(found)
    room = 0.04 * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room


@dataclass(frozen=True)
class Table:
    """Rows of text under headers."""

    title: str
    says: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        require(
            all(len(row) == len(self.headers) for row in self.rows), f"table '{self.title}': rows as long as headers"
        )


Panel = Curves | Heatmap | Arrows | Scatter | Table


@dataclass(frozen=True)
class Exhibit:
    """An experiment's answer to a question.

    answer      sentences; the numbers in them are computed
    findings    the headline numbers by a name of their own, each with its control
    settings    the frozen config that was run
    how         what ran: sampled batches or exact losses, how many seeds and steps
    command     the verb that makes it, as it is written after `monosema`; '' for `toy NAME`
    """

    name: str
    question: str
    answer: tuple[str, ...]
    panels: tuple[Panel, ...]
    findings: dict[str, Finding]
    settings: Any
    how: str
    command: str = ""


def as_json(exhibit: Exhibit) -> dict[str, Any]:
    """The exhibit as JSON holds it; a panel says its kind. The same exhibit gives the same."""
    panels = [
        {"kind": type(panel).__name__.lower()} | {f.name: to_json(getattr(panel, f.name)) for f in fields(panel)}
        for panel in exhibit.panels
    ]
    return {
        "name": exhibit.name,
        "question": exhibit.question,
        "answer": list(exhibit.answer),
        "findings": {name: to_json(finding) for name, finding in exhibit.findings.items()},
        "panels": panels,
        "settings": to_json(exhibit.settings),
        "how": exhibit.how,
    }
