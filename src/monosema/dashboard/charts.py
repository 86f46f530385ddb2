"""Small histograms and bars as SVG paths: one path a picture, no script and no style in it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Bars:
    """A histogram in a box of width x height; `says` is it in words."""

    path: str
    width: int
    height: int
    says: str


def bars(counts: Sequence[int | float], width: int, height: int, says: str, *, root: bool = False) -> Bars:
    """Bars from left to right over the whole width, the tallest as high as the box.

    `root` draws the square root of each count, so that a tail can be seen beside a peak.
    """
    sizes = [math.sqrt(c) if root else float(c) for c in counts]
    tallest = max(sizes, default=0.0) or 1.0
    step = width / max(1, len(sizes))
    gap = 0.5 if step > 3 else 0.0
    parts = []
    for i, size in enumerate(sizes):
        if size > 0:
            high = max(1.0, size / tallest * height)
            parts.append(f"M{_n(i * step)} {height}v-{_n(high)}h{_n(step - gap)}v{_n(high)}z")
    return Bars("".join(parts), width, height, says)


def outline(counts: Sequence[int | float], width: int, height: int, *, root: bool = False) -> str:
    """The outline of a histogram in the same box, scaled to its own tallest bar."""
    sizes = [math.sqrt(c) if root else float(c) for c in counts]
    tallest = max(sizes, default=0.0) or 1.0
    step = width / max(1, len(sizes))
    return (
        f"M0 {height}"
        + "".join(f"V{_n(height - s / tallest * height)}H{_n((i + 1) * step)}" for i, s in enumerate(sizes))
        + f"V{height}"
    )


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
