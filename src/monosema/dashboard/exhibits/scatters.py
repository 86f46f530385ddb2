"""Points of classes as a picture: every class has a colour and a shape, and every point says what it is."""

from collections.abc import Iterable, Sequence

from monosema.core.exhibits import Points, Scatter
from monosema.dashboard.exhibits.pictures import (
    BOTTOM,
    LEFT,
    N_COLOURS,
    RIGHT,
    SHAPES,
    TOP,
    Picture,
    Spot,
    drawn,
    frame,
    keys,
)
from monosema.dashboard.numbers import short
from monosema.dashboard.scales import Number, Scale, linear


def picture(panel: Scatter) -> Picture:
    """The picture of `panel`. A point that is not a number, or lies beyond given ends, is left out."""
    x = _scale((v for points in panel.points for v in points.x), panel.x_span, LEFT, RIGHT)
    y = _scale((v for points in panel.points for v in points.y), panel.y_span, BOTTOM, TOP)
    looked = list(zip(panel.points, kinds(panel.points), strict=True))
    placed, height = keys([(kind, shape, points.name, False) for points, (kind, shape) in looked if points.x])
    spots = tuple(spot for points, look in looked for spot in _spots(points, x, y, *look))
    return Picture(frame(x, y, panel.x_title, panel.y_title), height, panel.says, spots=spots, keys=placed)


def kinds(classes: Sequence[Points]) -> tuple[tuple[str, str], ...]:
    """The class in the style sheet and the shape of each: no two alike among the first 64 measured ones."""
    found, n = [], 0
    for points in classes:
        if points.role == "control":
            found.append(("point rest", SHAPES[5]))
        else:
            found.append((f"point c{n % N_COLOURS}", SHAPES[(n + n // N_COLOURS) % len(SHAPES)]))
            n += 1
    return tuple(found)


def _scale(values: Iterable[Number], span: tuple[()] | tuple[Number, Number], start: Number, end: Number) -> Scale:
    """From end to end of `span`, or as far as the values go."""
    if span:
        return Scale(span[0], span[1], start, end)
    return linear([v for v in values if drawn(v, log=False)] or (0, 1), start, end)


def _spots(points: Points, x: Scale, y: Scale, kind: str, shape: str) -> list[Spot]:
    spots = []
    labels = points.labels or ("",) * len(points.x)
    for a, b, label in zip(points.x, points.y, labels, strict=True):
        if x.holds(a) and y.holds(b):
            what = f"{label}, {points.name}" if label else points.name
            spots.append(Spot(x.at(a), y.at(b), shape, kind, f"{what}: ({short(float(a))}, {short(float(b))})"))
    return spots
