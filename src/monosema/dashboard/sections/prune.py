"""The prune study: its answer in words, every point in a plot and in a table."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from monosema.core.findings import Finding
from monosema.dashboard.cells import Cell, cell, decimals_of
from monosema.dashboard.data import ReportData
from monosema.dashboard.numbers import count, percent, short
from monosema.dashboard.plots import Frame, Line, Mark, Plot, line, place_labels
from monosema.dashboard.scales import Scale, linear, logarithmic
from monosema.evaluation.prune_study import PrunePoint, PruneStudy

WIDTH, HEIGHT = 560, 340
LEFT, RIGHT, TOP, BOTTOM = 52, 546, 14, 296


@dataclass(frozen=True)
class PointRow:
    """One point of the sweep as a line of the table; differences are None where there is no comparison."""

    dictionary: str
    above: str
    n_killed: str
    killed_frequency: str
    is_best: bool
    l0: Cell
    metric: Cell
    pruned: Cell | None
    denser: Cell | None
    randomised: Cell | None


@dataclass(frozen=True)
class PruneView:
    """The study: verdict, answer, plot, table."""

    verdict: str
    answer: str
    metric: str
    formula: str
    plot: Plot | None
    rows: tuple[PointRow, ...]
    control_is: str
    n_tokens: str
    n_choosing: str
    n_judging: str


def view(data: ReportData) -> PruneView | None:
    """The run's prune study; None when there is none."""
    study = data.prune
    if study is None:
        return None
    ordered = sorted(
        study.points, key=lambda p: (_trained_l0(study, p.dictionary), p.dictionary, -(p.above or math.inf))
    )
    return PruneView(
        verdict=study.verdict,
        answer=study.answer,
        metric=study.metric,
        formula=study.metrics[study.metric].formula,
        plot=_plot(study),
        rows=_rows(study, tuple(ordered)),
        control_is=study.control_is,
        n_tokens=count(study.n_tokens),
        n_choosing=count(study.n_choosing),
        n_judging=count(study.n_judging),
    )


def _trained_l0(study: PruneStudy, dictionary: str) -> float:
    return next(
        (p.findings["l0"].value for p in study.points if p.dictionary == dictionary and p.above is None), math.inf
    )


def _rows(study: PruneStudy, points: tuple[PrunePoint, ...]) -> tuple[PointRow, ...]:
    of_l0 = decimals_of(p.findings["l0"] for p in points)
    of_metric = decimals_of(p.findings[study.metric] for p in points)

    def difference(point: PrunePoint, name: str) -> Cell | None:
        found = point.differences.get(name)
        return None if found is None else cell(found, 4, sign=True)

    return tuple(
        PointRow(
            dictionary=p.dictionary,
            above="" if p.above is None else percent(p.above),
            n_killed=count(p.n_killed),
            killed_frequency=short(p.killed_frequency),
            is_best=p.above is not None and (p.dictionary, p.above) == study.best,
            l0=cell(p.findings["l0"], of_l0),
            metric=cell(p.findings[study.metric], of_metric),
            pruned=difference(p, "pruned"),
            denser=difference(p, "denser"),
            randomised=difference(p, "randomised"),
        )
        for p in points
    )


def _plot(study: PruneStudy) -> Plot | None:
    shown = [p for p in study.points if _place(p.findings, study.metric)]
    if not shown:
        return None
    rivals = [p for p in shown if p.above is not None and _place(p.same_frequency, study.metric)]
    findings = [f[study.metric] for f in [*(p.findings for p in shown), *(p.same_frequency for p in rivals)]]
    l0s = [f["l0"].value for f in [*(p.findings for p in shown), *(p.same_frequency for p in rivals)]]
    x = logarithmic(l0s, LEFT, RIGHT)
    y = linear([v for f in findings for v in (f.value, f.low, f.high) if math.isfinite(v)], BOTTOM, TOP)
    frame = Frame(WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM, x.ticks(), y.ticks(), "L0, features per token", study.metric)
    trained = sorted((p for p in shown if p.above is None), key=lambda p: p.findings["l0"].value)
    named = [(_mark(p, p.findings, study.metric, "trained", x, y), p.dictionary) for p in trained]
    pruned = [_mark(p, p.findings, study.metric, "pruned", x, y) for p in shown if p.above is not None]
    random = [_mark(p, p.same_frequency, study.metric, "random", x, y) for p in rivals]
    return Plot(
        frame,
        f"{study.metric} against L0: {len(trained)} dictionaries as trained, {len(pruned)} pruned, {len(random)} "
        "with random features killed instead; the numbers are in the table below.",
        marks=(*random, *pruned, *(mark for mark, _ in named)),
        lines=(line([(mark.x, mark.y) for mark, _ in named], "frontier"), *_paths(shown, study.metric, x, y)),
        labels=place_labels(frame, named, [*pruned, *random]),
    )


def _place(findings: Mapping[str, Finding], metric: str) -> bool:
    """Whether there is an L0 and a value to draw."""
    return {"l0", metric} <= findings.keys() and findings["l0"].value > 0 and math.isfinite(findings[metric].value)


def _paths(points: list[PrunePoint], metric: str, x: Scale, y: Scale) -> list[Line]:
    """From each dictionary as trained through its ever harder pruned versions."""
    paths = []
    for name in dict.fromkeys(p.dictionary for p in points):
        own = sorted((p for p in points if p.dictionary == name), key=lambda p: -p.findings["l0"].value)
        paths.append(line([(x.at(p.findings["l0"].value), y.at(p.findings[metric].value)) for p in own], "path"))
    return paths


def _mark(p: PrunePoint, findings: Mapping[str, Finding], metric: str, kind: str, x: Scale, y: Scale) -> Mark:
    found = findings[metric]
    known = math.isfinite(found.low) and math.isfinite(found.high)
    above = percent(p.above or 0.0)
    what = {
        "trained": f"{p.dictionary} as trained",
        "pruned": f"{p.dictionary} without {count(p.n_killed)} features of frequency above {above}",
        "random": f"{p.dictionary} without random features of the same summed frequency as those above {above}",
    }[kind]
    return Mark(
        x=x.at(findings["l0"].value),
        y=y.at(found.value),
        kind=kind,
        says=f"{what}: {metric} {found}, at L0 {findings['l0'].value:.4g}",
        y_bar=(y.at(found.low), y.at(found.high)) if known else None,
    )
