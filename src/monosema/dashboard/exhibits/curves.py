"""Lines over one axis as a picture: measured in colours, theory dashed over them, controls in grey."""

from collections.abc import Sequence

from monosema.core.exhibits import Curves, Line
from monosema.dashboard.exhibits.pictures import (
    BOTTOM,
    LEFT,
    N_COLOURS,
    RIGHT,
    SHAPES,
    TOP,
    Picture,
    Spot,
    Stroke,
    drawn,
    frame,
    keys,
    path,
)
from monosema.dashboard.numbers import short
from monosema.dashboard.scales import Number, Scale, linear, logarithmic

N_SPOTS = 9
"""Spots on a line of many points; a line of fewer than twice as many has one at every point."""


def picture(panel: Curves) -> Picture:
    """The picture of `panel`. Values that an axis cannot hold leave a gap."""
    x, y = scales(panel.lines, panel.log_x, panel.log_y)
    looked = list(zip(panel.lines, kinds(panel.lines), strict=True))
    placed, height = keys([(kind, shape, line.name, False) for line, (kind, shape) in looked])
    pointed = [(line, look) for line, look in looked if line.role != "theory"]
    return Picture(
        frame(x, y, panel.x_title, panel.y_title),
        height,
        panel.says,
        areas=tuple(Stroke(_band(line, x, y), f"band {kind}") for line, (kind, _) in looked if line.low),
        strokes=tuple(Stroke(_path(line, x, y), kind) for line, (kind, _) in looked),
        spots=tuple(spot for line, look in pointed for spot in _spots(line, x, y, *look)),
        keys=placed,
    )


def kinds(lines: Sequence[Line]) -> tuple[tuple[str, str], ...]:
    """The class and the shape of each line. Theory has a dash of its own and no shape."""
    found, counts = [], dict.fromkeys(("measured", "theory", "control"), 0)
    for line in lines:
        i = counts[line.role]
        counts[line.role] += 1
        look = {"measured": f"measured c{i % N_COLOURS}", "theory": f"theory d{i % 3}", "control": "control"}[line.role]
        found.append((look, "" if line.role == "theory" else SHAPES[(i + 3 * (line.role == "control")) % len(SHAPES)]))
    return tuple(found)


def scales(lines: Sequence[Line], log_x: bool, log_y: bool) -> tuple[Scale, Scale]:
    """Scales that hold every point of the lines; from 0 to 1 when there is none."""
    xs = [x for line in lines for x in line.x if drawn(x, log_x)]
    ys = [y for line in lines for y in (*line.y, *line.low, *line.high) if drawn(y, log_y)]
    x = logarithmic(xs or (1, 10), LEFT, RIGHT) if log_x else Scale(*_ends(xs), LEFT, RIGHT, whole=_counted(xs))
    y = logarithmic(ys or (1, 10), BOTTOM, TOP) if log_y else linear(ys or (0, 1), BOTTOM, TOP)
    return x, y


def _ends(values: list[Number]) -> tuple[Number, Number]:
    low, high = min(values, default=0), max(values, default=1)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _counted(values: list[Number]) -> bool:
    return bool(values) and all(isinstance(value, int) for value in values)


def _at(x_value: Number, y_value: Number, x: Scale, y: Scale) -> tuple[Number, Number] | None:
    there = drawn(x_value, x.logarithmic) and drawn(y_value, y.logarithmic)
    return (x.at(x_value), y.at(y_value)) if there else None


def _path(line: Line, x: Scale, y: Scale) -> str:
    return path(_at(a, b, x, y) for a, b in zip(line.x, line.y, strict=True))


def _band(line: Line, x: Scale, y: Scale) -> str:
    """A closed area for each stretch without a gap."""
    parts, over, under = [], [], []
    for a, low, high in [*zip(line.x, line.low, line.high, strict=True), (float("nan"),) * 3]:
        top, bottom = _at(a, high, x, y), _at(a, low, x, y)
        if top is not None and bottom is not None:
            over.append(top)
            under.append(bottom)
        elif over:
            parts.append(path([*over, *reversed(under)]) + "Z")
            over, under = [], []
    return "".join(parts)


def _spots(line: Line, x: Scale, y: Scale, kind: str, shape: str) -> list[Spot]:
    points = [(a, b, i) for i, (a, b) in enumerate(zip(line.x, line.y, strict=True)) if _at(a, b, x, y)]
    if len(points) >= 2 * N_SPOTS:
        points = [points[round(k * (len(points) - 1) / (N_SPOTS - 1))] for k in range(N_SPOTS)]
    spots = []
    for a, b, i in points:
        between = f" ({short(float(line.low[i]))} to {short(float(line.high[i]))})" if line.low else ""
        spots.append(
            Spot(x.at(a), y.at(b), shape, kind, f"{line.name}: {short(float(b))}{between} at {short(float(a))}")
        )
    return spots
