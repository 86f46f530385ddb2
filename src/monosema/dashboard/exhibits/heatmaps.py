"""A heatmap as a picture: cells by number or by class, with theory drawn over them."""

import math
from collections.abc import Iterator, Sequence

from monosema.core.exhibits import Heatmap, Line
from monosema.dashboard.exhibits.curves import kinds
from monosema.dashboard.exhibits.pictures import (
    BOTTOM,
    LEFT,
    N_COLOURS,
    RIGHT,
    SHAPES,
    TOP,
    Cell,
    Picture,
    Stroke,
    drawn,
    frame,
    keys,
    path,
)
from monosema.dashboard.numbers import short
from monosema.dashboard.scales import Number, Scale

N_LEVELS = 12
"""Shades of a number from low to high."""

SMALLEST = 12
"""Cells narrower than this, in pixels, bear no shape."""


def picture(panel: Heatmap) -> Picture:
    """The picture of `panel`; a cell that is NaN is left open."""
    x, y = _scale(panel.x, panel.log_x, LEFT, RIGHT), _scale(panel.y, panel.log_y, BOTTOM, TOP)
    entries = [*_cell_keys(panel), *((kind, "", line.name, False) for line, (kind, _) in _lines(panel))]
    placed, height = keys(entries)
    return Picture(
        frame(x, y, panel.x_title, panel.y_title),
        height,
        panel.says,
        cells=tuple(_cells(panel)),
        strokes=tuple(stroke for line, (kind, _) in _lines(panel) for stroke in _strokes(line, kind, x, y)),
        keys=placed,
    )


def _lines(panel: Heatmap) -> list[tuple[Line, tuple[str, str]]]:
    return list(zip(panel.lines, kinds(panel.lines), strict=True))


def _strokes(line: Line, kind: str, x: Scale, y: Scale) -> tuple[Stroke, Stroke]:
    """The line, on a lighter one that sets it off from the cells."""
    d = path(_inside(a, b, x, y) for a, b in zip(line.x, line.y, strict=True))
    return Stroke(d, "halo"), Stroke(d, kind)


def _scale(centres: Sequence[Number], log: bool, start: Number, end: Number) -> Scale:
    """From half a cell before the first centre to half a cell after the last."""
    ends = [math.log10(v) if log else v for v in (centres[0], centres[-1])]
    half = (ends[1] - ends[0]) / (len(centres) - 1) / 2 if len(centres) > 1 else 0.5
    low, high = ends[0] - half, ends[1] + half
    whole = all(isinstance(centre, int) for centre in centres)
    return Scale(10**low, 10**high, start, end, log) if log else Scale(low, high, start, end, whole=whole)


def _inside(a: Number, b: Number, x: Scale, y: Scale) -> tuple[Number, Number] | None:
    there = drawn(a, x.logarithmic) and drawn(b, y.logarithmic) and x.holds(a) and y.holds(b)
    return (x.at(a), y.at(b)) if there else None


def _cells(panel: Heatmap) -> Iterator[Cell]:
    width, height = (RIGHT - LEFT) / len(panel.x), (BOTTOM - TOP) / len(panel.y)
    wide = min(width, height) >= SMALLEST
    for i, row in enumerate(panel.cells):
        for j, value in enumerate(row):
            if not math.isfinite(value):
                continue
            at = f"at {panel.x_title} {short(float(panel.x[j]))}, {panel.y_title} {short(float(panel.y[i]))}"
            left, top = round(LEFT + j * width, 2), round(BOTTOM - (i + 1) * height, 2)
            shape = SHAPES[int(value) % len(SHAPES)] if panel.classes and wide else ""
            said = panel.classes[int(value)] if panel.classes else short(float(value))
            yield Cell(left, top, round(width, 2), round(height, 2), _kind(panel, value), shape, f"{said}, {at}")


def _kind(panel: Heatmap, value: Number) -> str:
    if panel.classes:
        return f"cell class c{int(value) % N_COLOURS}"
    share = (value - panel.low) / (panel.high - panel.low)
    return f"cell q{min(N_LEVELS - 1, max(0, math.floor(share * N_LEVELS)))}"


def _cell_keys(panel: Heatmap) -> list[tuple[str, str, str, bool]]:
    if panel.classes:
        there = {int(v) for row in panel.cells for v in row if math.isfinite(v)}
        return [
            (f"cell class c{i % N_COLOURS}", SHAPES[i % len(SHAPES)], name, True)
            for i, name in enumerate(panel.classes)
            if i in there
        ]
    steps = (0, N_LEVELS // 3, 2 * N_LEVELS // 3, N_LEVELS - 1)
    ends = [panel.low + (panel.high - panel.low) * k / (N_LEVELS - 1) for k in steps]
    return [(f"cell q{k}", "", short(float(end)), True) for k, end in zip(steps, ends, strict=True)]
