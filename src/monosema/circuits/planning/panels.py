"""Couplets: tables and curves."""

from collections.abc import Sequence

import torch
from torch import Tensor

from monosema.circuits.planning.changes import KINDS
from monosema.circuits.planning.couplets import Experiment, Featured, Measured
from monosema.circuits.planning.graph_panels import graph_panels
from monosema.circuits.planning.probing import PLACES
from monosema.circuits.planning.saying import at_newline, joined
from monosema.circuits.planning.shares import rate
from monosema.circuits.planning.writing import written
from monosema.core.exhibits import Curves, Line, Table
from monosema.corpus.plans.config import SIGHTS
from monosema.corpus.plans.couplets import NEWLINE

N_SHOWN = 4


def panels(experiment: Experiment) -> tuple[Table | Curves, ...]:
    """Everything that is shown."""
    return (
        _newline(experiment),
        _probes(experiment),
        _one_layer(experiment),
        _words(experiment),
        _routes(experiment),
        _features(experiment),
        *graph_panels(experiment),
        _examples(experiment),
        _models(experiment),
    )


def _percent(hits: Tensor) -> str:
    return f"{rate(hits):.1%}"


def _newline(experiment: Experiment) -> Table:
    rows = []
    for sight in SIGHTS:
        models = experiment.of(sight)
        names = ("unchanged", "donor", "stays", "mean", "random")
        hits = [joined(models, lambda one, name=name: getattr(one.plants, name)) for name in names]
        read = joined(models, lambda one: at_newline(one.probed))
        rows.append((sight, *map(_percent, (*hits, read))))
    return Table(
        "The newline's state changed, at every layer",
        "Shares of couplets: which line is written, and, last, what a linear probe names at the newline after the "
        "last layer.",
        (
            "sight",
            "own line, unchanged",
            "donor's line",
            "own line stays",
            "by a mean difference",
            "by a random direction",
            "read by a probe",
        ),
        tuple(rows),
    )


def _band(name: str, runs: Tensor, control: bool = False) -> Line:
    """The mean of runs [model, layer] with the lowest and the highest."""
    x = tuple(range(runs.shape[1]))
    columns = (runs.mean(0), runs.amin(0), runs.amax(0))
    y, low, high = (tuple(column.tolist()) for column in columns)
    return Line(name, x, y, low, high, "control" if control else "measured")


def _probes(experiment: Experiment) -> Curves:
    at = list(PLACES).index("newline")
    lines = []
    for sight in SIGHTS:
        lines.append(_band(sight, torch.stack([one.probed[at].double().mean(1) for one in experiment.of(sight)])))
    free = experiment.of("free")
    lines.append(_band("free, before training", torch.stack([one.blank[at].double().mean(1) for one in free]), True))
    dealt = torch.stack([one.probed[-1].double().mean(1) for one in free])
    lines.append(_band("free, labels dealt anew", dealt, True))
    ends = ", ".join(f"{line.name} {line.y[-1]:.1%}" for line in lines)
    return Curves(
        "What a probe reads at the newline",
        f"Plans that a linear probe names, before the first layer (0) and after each: at the end {ends}.",
        "layers passed",
        "share of plans named",
        tuple(lines),
    )


def _one_layer(experiment: Experiment) -> Curves:
    lines = [
        _band(sight, torch.stack([one.plants.by_layer.double().mean(1) for one in experiment.of(sight)]))
        for sight in SIGHTS
    ]
    most = ", ".join(f"{line.name} {max(line.y):.1%}" for line in lines)
    return Curves(
        "The donor's state at one layer alone",
        f"Lines that become the donor's when only what one layer leaves at the newline is the donor's: at most {most}. "
        "Later tokens may look at the newline at every layer.",
        "layer",
        "share of lines that are the donor's",
        tuple(lines),
    )


def _words(experiment: Experiment) -> Table:
    rows = []
    for sight in SIGHTS:
        words = torch.cat([one.plants.by_word for one in experiment.of(sight)])
        rows.append((sight, *(_percent(words[:, j]) for j in range(4))))
    places = experiment.of("free")
    seen = torch.cat([one.probed[: len(PLACES), -1] for one in places], 1)
    blank = torch.cat([one.blank[: len(PLACES), -1] for one in places], 1)
    read = [f"{place} {rate(a):.1%} ({rate(b):.1%})" for place, a, b in zip(PLACES, seen, blank, strict=True)]
    return Table(
        "Word by word, with the donor's state at the newline",
        "Words that are the donor's; t1 is told at the newline itself. A probe after the last layer of the free "
        f"model (in brackets: before training) names the end word at {', '.join(read)}.",
        ("sight", "t1", "t2", "t3", "end word"),
        tuple(rows),
    )


def _routes(experiment: Experiment) -> Table:
    rows = []
    for sight in SIGHTS:
        models = experiment.of(sight)
        values = [torch.cat([getattr(one, name) for one in models]) for name in ("by_gradients", "beside")]
        by_exchange = torch.cat([one.by_exchange for one in models])
        loss, least = (torch.cat([getattr(one, name) for one in models]).sum(1).mean() for name in ("losses", "least"))
        shares = (*(float(x.mean()) for x in values), float(by_exchange.median()))
        rows.append((sight, *(f"{x:.3f}" for x in shares), f"{loss:.3f}", f"{least:.3f}"))
    return Table(
        "The first line's influence on the end word's logit",
        "The share that passes the newline, by gradients with attention patterns held, beside the filler before the "
        "rhyme word; and by exchanging first lines while the newline keeps its state (median). By the masks the "
        "planner's is 1 and that of a model without a plan 0. Loss is in nats a second line, beside the least that "
        "the sight allows.",
        ("sight", "through the newline", "through the filler", "by exchange", "loss", "least loss"),
        tuple(rows),
    )


def _features(experiment: Experiment) -> Table:
    two = [one.features for one in experiment.chosen]
    groups = {
        "planner": [one.features for one in experiment.of("planner") if one.features is not None],
        "free": [one.features for one in experiment.of("free") if one.features is not None],
        "planner, two candidates": two,
    }
    rows = [row for name, featured in groups.items() for row in _rows(name, featured, name not in ("planner", "free"))]
    return Table(
        "Features of plans at the newline",
        "What the features of a plan do, beside others that fire as often and beside random directions, made as long. "
        "Suppressed: another end word is written than before. Exchanged: the donor's line is written. With two "
        "candidates, suppressing the first's features gives the second's line. Then: features "
        "of a plan, their F1 as a detector of it, and the share of variance that the dictionary explains.",
        ("model", "changed with", "suppressed", "exchanged", "second's line", "features", "F1", "variance explained"),
        tuple(rows),
    )


def _rows(name: str, featured: Sequence[Featured], two: bool) -> list[tuple[str, ...]]:
    changes = [one.changes for one in featured]
    left, put_in, second = (torch.cat([getattr(one, key) for one in changes], 1) for key in _CHANGES)
    rows = []
    for i, kind in enumerate(KINDS):
        last = _described(featured) if i == 0 else ("", "", "")
        rows.append((name, kind, *map(_percent, (left[i], put_in[i])), _percent(second[i]) if two else "", *last))
    return rows


def _described(featured: Sequence[Featured]) -> tuple[str, str, str]:
    """Features of a plan, their F1, and the variance that the dictionaries explain: means."""
    found = [one.planned for one in featured]
    size = torch.cat([one.first.sum(1) for one in found]).double().mean()
    f1 = torch.cat([one.f1 for one in found]).mean()
    return f"{float(size):.1f}", f"{float(f1):.3f}", f"{sum(one.explained for one in found) / len(found):.3f}"


_CHANGES = ("left", "put_in", "to_second")


def _examples(experiment: Experiment) -> Table:
    rows = [row for sight in ("planner", "free") for row in _shown(experiment.of(sight)[0])]
    return Table(
        "Some couplets",
        "The line that the model writes, and the one that it writes with the donor's state at the newline.",
        ("sight", "first line", "second line", "the donor's first line", "second line with the donor's newline"),
        tuple(rows),
    )


def _shown(one: Measured) -> list[tuple[str, ...]]:
    stage, language = one.scene, one.scene.language
    own, put_in = written(stage.reader, stage.begun), stage.with_states(stage.others)
    return [
        (
            one.sight,
            language.text(stage.verses.tokens[i, 1:NEWLINE]),
            language.text(own[i]),
            language.text(stage.donors.tokens[i, 1:NEWLINE]),
            language.text(put_in[i]),
        )
        for i in range(N_SHOWN)
    ]


def _models(experiment: Experiment) -> Table:
    rows = []
    for sight in SIGHTS:
        for i, one in enumerate(experiment.of(sight)):
            hits = (one.plants.unchanged, one.plants.donor, one.plants.mean, at_newline(one.probed))
            rows.append((sight, str(i), *map(_percent, hits), f"{float(one.by_gradients.mean()):.3f}"))
    for i, chosen in enumerate(experiment.chosen):
        hits = (chosen.plants.unchanged, chosen.plants.donor, chosen.plants.mean)
        rows.append(("planner, two candidates", str(i), *map(_percent, hits), "", ""))
    return Table(
        "Model by model",
        f"{len(rows)} models, each from a seed of its own.",
        ("model", "seed", "own line", "donor's line", "by a mean difference", "read by a probe", "through the newline"),
        tuple(rows),
    )
