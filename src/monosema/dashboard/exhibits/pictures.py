"""What a panel draws, already in pixels: one template draws them all.

+----------------------------+   areas    bands around lines          cells   squares of a heatmap
| y title                    |   strokes  lines                       spots   points that say their numbers
| ticks |  box               |   keys     what each colour and shape means, in rows under the box
|       |                    |
+-------+--------------------+   Colours come with a shape or a dash, so that nothing is told by colour alone.
| x title, keys              |
+----------------------------+
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monosema.dashboard.plots import CHARACTER, Frame
from monosema.dashboard.scales import Number, Scale

WIDTH = 480
LEFT, RIGHT, TOP, BOTTOM = 56, 468, 26, 266
BELOW = 44
"""Room under the box for ticks and the title of the axis."""

ROW = 18
"""Height of a row of keys."""

N_COLOURS = 8
SHAPES = (
    "M-3.5,0A3.5,3.5 0 1 0 3.5,0A3.5,3.5 0 1 0 -3.5,0Z",
    "M-3.2,-3.2H3.2V3.2H-3.2Z",
    "M0,-4.4L4.2,3.2H-4.2Z",
    "M0,-4.6L4.6,0L0,4.6L-4.6,0Z",
    "M0,4.4L4.2,-3.2H-4.2Z",
    "M-1.5,-4.2H1.5V-1.5H4.2V1.5H1.5V4.2H-1.5V1.5H-4.2V-1.5H-1.5Z",
    "M-4,-2L0,-4.4L4,-2V2L0,4.4L-4,2Z",
    "M-4.2,-2.2H4.2V2.2H-4.2Z",
)
"""Circle, square, triangle, diamond, triangle upside down, cross, hexagon, bar: around (0, 0)."""


@dataclass(frozen=True)
class Stroke:
    """A path and its class in the style sheet."""

    d: str
    kind: str


@dataclass(frozen=True)
class Spot:
    """A point with its shape; `says` is its numbers in words."""

    x: Number
    y: Number
    shape: str
    kind: str
    says: str


@dataclass(frozen=True)
class Cell:
    """A square of a heatmap; `shape` stands in its middle, '' for none."""

    x: Number
    y: Number
    width: Number
    height: Number
    kind: str
    shape: str
    says: str


@dataclass(frozen=True)
class Key:
    """An entry under the box, at its left end: a piece of line, a shape, or a square."""

    x: Number
    y: Number
    kind: str
    shape: str
    text: str
    square: bool = False


@dataclass(frozen=True)
class Moment:
    """A frame of an animation."""

    label: str
    strokes: tuple[Stroke, ...]
    spots: tuple[Spot, ...]


@dataclass(frozen=True)
class Picture:
    """A panel in pixels, the keys below its frame.

    moments  frames, of which one at a time is seen: the last, until the page plays them
    """

    frame: Frame
    height: Number
    says: str
    areas: tuple[Stroke, ...] = ()
    cells: tuple[Cell, ...] = ()
    strokes: tuple[Stroke, ...] = ()
    spots: tuple[Spot, ...] = ()
    keys: tuple[Key, ...] = ()
    moments: tuple[Moment, ...] = ()


def frame(x: Scale, y: Scale, x_title: str, y_title: str) -> Frame:
    """The box of a panel with its axes."""
    return Frame(WIDTH, BOTTOM + BELOW, LEFT, RIGHT, TOP, BOTTOM, x.ticks(), y.ticks(), x_title, y_title)


def keys(entries: Sequence[tuple[str, str, str, bool]]) -> tuple[tuple[Key, ...], int]:
    """Keys laid out in rows under the box, and the height of the whole picture.

    entries  (kind, shape, text, whether it is a square)
    """
    placed, x, row = [], 4.0, 0
    for kind, shape, text, square in entries:
        width = 34 + CHARACTER * len(text) + 12
        if x > 4 and x + width > WIDTH:
            x, row = 4.0, row + 1
        placed.append(Key(round(x, 1), BOTTOM + BELOW + 10 + row * ROW, kind, shape, text, square))
        x += width
    return tuple(placed), BOTTOM + BELOW + (ROW * (row + 1) if placed else 0)


def drawn(value: Number, log: bool) -> bool:
    """Whether a number has a place on an axis."""
    return math.isfinite(value) and (not log or value > 0)


def path(points: Iterable[tuple[Number, Number] | None]) -> str:
    """A path through the points; None lifts the pen. Points that fall on the one before are left out."""
    parts, last, down = [], None, False
    for point in points:
        if point is None:
            last, down = None, False
        elif point != last:
            parts.append(f"{'L' if down else 'M'}{point[0]:g},{point[1]:g}")
            last, down = point, True
    return "".join(parts)
