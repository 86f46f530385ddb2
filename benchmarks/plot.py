"""Lines through points as an SVG file, panel beside panel. A line has a colour, and its name in a legend.

+---------+  +---------+  +---------+
|  panel  |  |  panel  |  |  panel  |      each a title, two axes, one line per name
+---------+  +---------+  +---------+
  a legend of all the names
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from monosema.dashboard.scales import Scale, linear, logarithmic

WIDTH, HEIGHT = 360, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 34, 48
LEGEND_LINE, LEGEND_COLUMNS = 18, 4
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#555555", "#8c564b", "#000000")
"""Of Okabe and Ito (2008), told apart by the colour-blind, and three more."""

STYLE = """text{font:12px system-ui,sans-serif;fill:#222}.grid{stroke:#e2e2e2}.axis{stroke:#444}
polyline{fill:none;stroke-width:1.8}.title{font-weight:600}"""


@dataclass(frozen=True)
class Panel:
    """One plot: its lines by name, each a sequence of (x, y); both axes logarithmic or neither."""

    title: str
    x_title: str
    logarithmic: bool
    lines: Mapping[str, Sequence[tuple[float, float]]]


def svg(panels: Sequence[Panel]) -> str:
    """The picture. The same panels give the same bytes."""
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    width = WIDTH * len(panels)
    height = HEIGHT + LEGEND_LINE * (-(-len(names) // LEGEND_COLUMNS) + 1)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">']
    parts.append('<rect width="100%" height="100%" fill="white"/>')
    parts.append(f'<style>{STYLE}</style><rect width="{width}" height="{height}" fill="#fff"/>')
    for i, panel in enumerate(panels):
        parts.append(f'<g transform="translate({i * WIDTH},0)">{_panel(panel, colours)}</g>')
    parts.append(_legend(colours, width))
    return "\n".join([*parts, "</svg>\n"])


def _panel(panel: Panel, colours: dict[str, str]) -> str:
    points = [point for line in panel.lines.values() for point in line]
    kind = logarithmic if panel.logarithmic else linear
    x = kind([point[0] for point in points], LEFT, WIDTH - RIGHT)
    y = kind([point[1] for point in points], HEIGHT - BOTTOM, TOP)
    lines = [_line(panel.lines[name], x, y, colours[name], name) for name in panel.lines]
    return "\n".join([_axes(panel, x, y), *lines])


def _axes(panel: Panel, x: Scale, y: Scale) -> str:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = [f'<text class="title" x="{LEFT}" y="20">{escape(panel.title)}</text>']
    for tick in y.ticks():
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{tick.at}" y2="{tick.at}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{tick.at + 4}" text-anchor="end">{tick.text}</text>')
    for tick in x.ticks(4):
        parts.append(f'<line class="axis" x1="{tick.at}" x2="{tick.at}" y1="{bottom}" y2="{bottom + 4}"/>')
        parts.append(f'<text x="{tick.at}" y="{bottom + 17}" text-anchor="middle">{tick.text}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    middle = (LEFT + right) / 2
    parts.append(f'<text x="{middle}" y="{bottom + 36}" text-anchor="middle">{escape(panel.x_title)}</text>')
    return "\n".join(parts)


def _line(points: Sequence[tuple[float, float]], x: Scale, y: Scale, colour: str, name: str) -> str:
    places = [(x.at(a), y.at(b)) for a, b in points]
    joined = " ".join(f"{a},{b}" for a, b in places)
    marks = "".join(f'<circle cx="{a}" cy="{b}" r="2.8" fill="{colour}"/>' for a, b in places)
    return f'<g><title>{escape(name)}</title><polyline stroke="{colour}" points="{joined}"/>{marks}</g>'


def _legend(colours: dict[str, str], width: int) -> str:
    parts = []
    for i, (name, colour) in enumerate(colours.items()):
        left = LEFT + (i % LEGEND_COLUMNS) * (width - LEFT) // LEGEND_COLUMNS
        line = HEIGHT + LEGEND_LINE * (i // LEGEND_COLUMNS + 1)
        parts.append(f'<circle cx="{left}" cy="{line - 4}" r="4" fill="{colour}"/>')
        parts.append(f'<text x="{left + 10}" y="{line}">{escape(name)}</text>')
    return "\n".join(parts)
