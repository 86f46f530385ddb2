"""Frequency histograms: how many features fire how often, over those of the control."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monosema.dashboard.data import ReportData
from monosema.dashboard.numbers import count, percent
from monosema.dashboard.plots import Frame
from monosema.dashboard.scales import Number, Scale, Tick
from monosema.evaluation.scorecard import Histogram

WIDTH, HEIGHT = 340, 190
LEFT, RIGHT, TOP, BOTTOM = 40, 330, 10, 150


@dataclass(frozen=True)
class Bar:
    """One bin: its place, and its numbers in words."""

    x: Number
    y: Number
    width: Number
    height: Number
    says: str


@dataclass(frozen=True)
class HistogramView:
    """One dictionary's histogram, its control's as an outline (an SVG path, '' without)."""

    name: str
    architecture: str
    frame: Frame
    bars: tuple[Bar, ...]
    outline: str
    says: str
    dead: str
    control_dead: str


def view(data: ReportData) -> tuple[HistogramView, ...] | None:
    """A histogram for each dictionary, all on the same bins; None without a scorecard."""
    card = data.scorecard
    if card is None or not card.histograms:
        return None
    return panels({name: (card.architectures[name], h) for name, h in card.histograms.items()})


def panels(histograms: Mapping[str, tuple[str, Histogram]]) -> tuple[HistogramView, ...]:
    """A panel for each histogram, under its name and a few words, all on the same bins."""
    first, last = _occupied([h for _, h in histograms.values()])
    return tuple(_one(name, words, h, first, last) for name, (words, h) in histograms.items())


def _occupied(histograms: Sequence[Histogram]) -> tuple[int, int]:
    """The first bin that any dictionary or control has features in, and the end of the last bin of all."""
    found = [i for h in histograms for i, n in enumerate(_most(h)) if n]
    n_bins = len(histograms[0].counts)
    return (max(0, min(found) - 1) if found else 0), n_bins


def _most(h: Histogram) -> list[int]:
    return [max(pair) for pair in zip(h.counts, h.control or h.counts, strict=True)]


def _one(name: str, architecture: str, h: Histogram, first: int, last: int) -> HistogramView:
    tallest = max([1, *_most(h)[first:last]])
    x = Scale(h.edges[first], h.edges[last], LEFT, RIGHT)
    y = Scale(0, tallest * 1.05, BOTTOM, TOP)
    decades = [d for d in range(-12, 1) if h.edges[first] <= d <= h.edges[last]]
    frame = Frame(
        *(WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM),
        x_ticks=tuple(Tick(x.at(d), percent(10.0**d)) for d in decades),
        y_ticks=tuple(tick for tick in y.ticks(4) if "." not in tick.text),
        x_title="share of tokens on which a feature fires",
        y_title="features",
    )
    total = sum(h.counts) + h.dead
    beside = (
        "" if h.control is None else f"; control: {count(sum(h.control))} that fire, {count(h.control_dead or 0)} dead"
    )
    return HistogramView(
        name=name,
        architecture=architecture,
        frame=frame,
        bars=tuple(_bar(h, i, x, y) for i in range(first, last)),
        outline="" if h.control is None else _outline(h.edges, h.control, x, y, first, last),
        says=f"{name}: {count(sum(h.counts))} of {count(total)} features fire, {count(h.dead)} are dead{beside}",
        dead=f"{count(h.dead)} of {count(total)}",
        control_dead="" if h.control_dead is None else count(h.control_dead),
    )


def _bar(h: Histogram, i: int, x: Scale, y: Scale) -> Bar:
    left, right, top = x.at(h.edges[i]), x.at(h.edges[i + 1]), y.at(h.counts[i])
    control = "no control" if h.control is None else f"control {count(h.control[i])}"
    low, high = percent(10 ** h.edges[i]), percent(10 ** h.edges[i + 1])
    says = f"{low} to {high} of tokens: {count(h.counts[i])} features ({control})"
    return Bar(left, top, round(right - left - 1, 1), round(BOTTOM - top, 1), says)


def _outline(edges: tuple[Number, ...], counts: tuple[int, ...], x: Scale, y: Scale, first: int, last: int) -> str:
    steps = "".join(f"V{y.at(counts[i])}H{x.at(edges[i + 1])}" for i in range(first, last))
    return f"M{x.at(edges[first])},{y.at(0)}{steps}V{y.at(0)}"
