"""Plots as places: what the SVG templates draw, already in pixels.

+----------------------------+
| ticks |  box: marks, lines |   `Frame` is the box and its axes; a mark has a sentence that says
|       |  bars, labels      |   its numbers, shown when it is pointed at or has the focus
+-------+--------------------+
"""

from collections.abc import Sequence
from dataclasses import dataclass

from monosema.dashboard.scales import Number, Scale, Tick

CHARACTER = 6.3
"""Width of a character of a label, in pixels, on the wide side."""


@dataclass(frozen=True)
class Frame:
    """The box of a plot in a picture of width x height, with its axes."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_title: str
    y_title: str


@dataclass(frozen=True)
class Mark:
    """A point: `kind` is its class in the style sheet, `says` its numbers in words.

    bars    ends of the error bars, (x, low y, high y) and (y, low x, high x); None without
    beyond  'up' or 'down' when the value is off the scale and the mark stands at its edge
    """

    x: Number
    y: Number
    kind: str
    says: str
    y_bar: tuple[Number, Number] | None = None
    x_bar: tuple[Number, Number] | None = None
    beyond: str = ""


@dataclass(frozen=True)
class Line:
    """A line through points: 'x,y x,y'."""

    points: str
    kind: str


@dataclass(frozen=True)
class Label:
    """A text beside a mark; `anchor` is SVG's text-anchor."""

    x: Number
    y: Number
    anchor: str
    text: str


@dataclass(frozen=True)
class Plot:
    """A plot with what is in it. `says` is the whole in one sentence, for those who do not see it."""

    frame: Frame
    says: str
    marks: tuple[Mark, ...] = ()
    lines: tuple[Line, ...] = ()
    labels: tuple[Label, ...] = ()


def line(points: Sequence[tuple[Number, Number]], kind: str) -> Line:
    """A line through `points`."""
    return Line(" ".join(f"{x},{y}" for x, y in points), kind)


def clamped(scale: Scale, value: Number) -> tuple[Number, str]:
    """The place of `value` on a vertical scale, at the edge when it is beyond it, and which edge."""
    if scale.holds(value):
        return scale.at(value), ""
    return (scale.end, "up") if value > scale.high else (scale.start, "down")


def place_labels(frame: Frame, named: Sequence[tuple[Mark, str]], others: Sequence[Mark] = ()) -> tuple[Label, ...]:
    """A label for each named mark, at the first of eight places around it that is free.

    A name that finds no free place gets the one that hides least; it is still said by the mark.
    """
    taken = [(mark.x - 5, mark.y - 5, mark.x + 5, mark.y + 5) for mark in [*(mark for mark, _ in named), *others]]
    labels = []
    for mark, text in named:
        options = [_option(mark, text, dx, dy) for dx, dy in _AROUND]
        label, box = min(options, key=lambda option: _cost(option[1], taken, frame))
        taken.append(box)
        labels.append(label)
    return tuple(labels)


_AROUND = ((9, 4), (-9, 4), (0, -9), (0, 18), (8, -6), (-8, -6), (8, 15), (-8, 15))

Box = tuple[Number, Number, Number, Number]


def _option(mark: Mark, text: str, dx: Number, dy: Number) -> tuple[Label, Box]:
    anchor = "start" if dx > 0 else "end" if dx < 0 else "middle"
    width = CHARACTER * len(text)
    x, y = mark.x + dx, mark.y + dy
    left = x if anchor == "start" else x - width if anchor == "end" else x - width / 2
    return Label(round(x, 1), round(y, 1), anchor, text), (left, y - 10, left + width, y + 3)


def _cost(box: Box, taken: Sequence[Box], frame: Frame) -> Number:
    overlap = sum(_shared(box[0], box[2], t[0], t[2]) * _shared(box[1], box[3], t[1], t[3]) for t in taken)
    inside = (frame.left, frame.top, frame.right, frame.bottom)
    outside = (
        max(0, inside[0] - box[0])
        + max(0, box[2] - inside[2])
        + max(0, inside[1] - box[1])
        + max(0, box[3] - inside[3])
    )
    return overlap + 100 * outside


def _shared(low: Number, high: Number, other_low: Number, other_high: Number) -> Number:
    return max(0.0, min(high, other_high) - max(low, other_low))
