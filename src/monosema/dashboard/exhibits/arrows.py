"""Feature directions through training as a picture: a moment for every frame, all on one scale.

Three dimensions are drawn as seen from a little above and to the side; what is behind the origin is fainter.
"""

import math

from monosema.core.exhibits import ArrowFrame, Arrows
from monosema.dashboard.exhibits.pictures import SHAPES, Moment, Picture, Spot, Stroke
from monosema.dashboard.numbers import short
from monosema.dashboard.plots import Frame
from monosema.dashboard.scales import Number, Scale

SIZE, EDGE = 360, 24
AZIMUTH, ELEVATION = math.radians(30), math.radians(22)
N_SHADES = 5


def picture(panel: Arrows) -> Picture:
    """The picture of `panel`: axes through the origin, and the frames as moments."""
    seen = [[_seen(point) for point in frame.points] for frame in panel.frames]
    reach = max((math.hypot(x, y) for points in seen for x, y, _ in points), default=1.0) or 1.0
    x, y = Scale(-reach, reach, EDGE, SIZE - EDGE), Scale(-reach, reach, SIZE - EDGE, EDGE)
    moments = tuple(_moment(frame, points, x, y) for frame, points in zip(panel.frames, seen, strict=True))
    box = Frame(SIZE, SIZE, EDGE, SIZE - EDGE, EDGE, SIZE - EDGE, (), (), "", "")
    return Picture(box, SIZE, panel.says, strokes=_axes(panel, x, y, reach), moments=moments)


def _seen(point: tuple[Number, ...]) -> tuple[float, float, float]:
    """A direction as it is drawn: to the right, up, and towards the reader."""
    if len(point) == 2:
        return float(point[0]), float(point[1]), 0.0
    a, b, c = (float(v) for v in point)
    right, depth = (
        a * math.cos(AZIMUTH) - b * math.sin(AZIMUTH),
        -a * math.sin(AZIMUTH) - b * math.cos(AZIMUTH),
    )
    return (
        right,
        c * math.cos(ELEVATION) - depth * math.sin(ELEVATION),
        depth * math.cos(ELEVATION) + c * math.sin(ELEVATION),
    )


def _axes(panel: Arrows, x: Scale, y: Scale, reach: float) -> tuple[Stroke, ...]:
    n = len(panel.frames[0].points[0])
    axes = []
    for k in range(n):
        unit = tuple(reach if i == k else 0.0 for i in range(n))
        (a, b, _), (c, d, _) = _seen(unit), _seen(tuple(-v for v in unit))
        axes.append(Stroke(f"M{x.at(a):g},{y.at(b):g}L{x.at(c):g},{y.at(d):g}", "origin"))
    return tuple(axes)


def _moment(frame: ArrowFrame, points: list[tuple[float, float, float]], x: Scale, y: Scale) -> Moment:
    strokes, spots = [], []
    weights = frame.weights or (1.0,) * len(points)
    # What is farther away is drawn first.
    for i in sorted(range(len(points)), key=lambda k: points[k][2]):
        right, up, towards = points[i]
        shade = min(N_SHADES - 1, max(0, math.floor(float(weights[i]) * N_SHADES)))
        kind = f"w{shade}{' behind' if towards < -1e-9 else ''}"
        strokes.append(Stroke(f"M{x.at(0):g},{y.at(0):g}L{x.at(right):g},{y.at(up):g}", f"arrow {kind}"))
        length = math.hypot(*frame.points[i])
        where = ", ".join(short(float(v)) for v in frame.points[i])
        says = f"feature {i}: length {short(length)}, at ({where}), weight {short(float(weights[i]))}; {frame.label}"
        spots.append(Spot(x.at(right), y.at(up), SHAPES[0], f"arrow {kind}", says))
    return Moment(frame.label, tuple(strokes), tuple(spots))
