"""What an experiment shows, as plain values: no torch, no pixels, no HTML.

    config --experiment--> Exhibit --dashboard.write_exhibit--> a page, and an SVG file for each panel

    Exhibit
    |-- question, answer    sentences with the measured numbers in them
    |-- findings            every headline number with its control
    |-- panels              Curves | Heatmap | Arrows | Table
    `-- settings, how       what was asked for, and what ran

Every panel has a title and `says`: one sentence that tells what is to be seen, for those who cannot see it too.
A number that is not there is NaN; it leaves a gap.
"""

from dataclasses import dataclass, fields
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


Panel = Curves | Heatmap | Arrows | Table


@dataclass(frozen=True)
class Exhibit:
    """An experiment's answer to a question.

    answer      sentences; the numbers in them are computed
    findings    the headline numbers by a name of their own, each with its control
    settings    the frozen config that was run
    how         what ran: sampled batches or exact losses, how many seeds and steps
    """

    name: str
    question: str
    answer: tuple[str, ...]
    panels: tuple[Panel, ...]
    findings: dict[str, Finding]
    settings: Any
    how: str


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
