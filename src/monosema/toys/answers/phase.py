"""The experiment `phase`: how importance enters the loss, and where it lets a second feature in."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from monosema.core.exhibits import Curves, Exhibit, Heatmap, Line, Table
from monosema.core.findings import Finding, short
from monosema.toys.answers.drawn import band, numbers
from monosema.toys.collapse import Collapse, collapse_features, rank_correlation, without_importance
from monosema.toys.intervals import over_seeds, share
from monosema.toys.phase import PHASES, PhaseDiagram, boundary, phase_diagram
from monosema.toys.settings import PhaseConfig

QUESTION = "How does importance enter the loss, and where does it let a second feature in?"
EQUAL = "all importances equal"


@dataclass(frozen=True)
class Runs:
    """What the experiment trained: the diagram, with one restart, with all importances scaled, with one scaled."""

    diagram: PhaseDiagram
    once: PhaseDiagram
    all_scaled: PhaseDiagram
    one_scaled: PhaseDiagram
    by_feature: Collapse
    equal: Collapse


def phase(config: PhaseConfig) -> Exhibit:
    """Train everything and say what was seen."""
    f = config.factor
    runs = Runs(
        phase_diagram(config.grid),
        phase_diagram(replace(config.grid, restarts=1)),
        phase_diagram(config.grid, (f, f)),
        phase_diagram(config.grid, (1.0, f)),
        collapse_features(config.collapse),
        collapse_features(without_importance(config.collapse)),
    )
    found = findings(config, runs)
    panels = (_map(runs.diagram), _losses(runs.diagram), _errors(runs, config), _odd(runs.diagram))
    how = f"{runs.diagram.how}, three times over, and with one restart; errors by feature: {runs.by_feature.how}"
    return Exhibit("phase", QUESTION, _answer(config, runs, found), panels, found, config, how)


def findings(config: PhaseConfig, runs: Runs) -> dict[str, Finding]:
    """The headline numbers."""
    diagram, n = runs.diagram, runs.diagram.phase.numel()
    common = float((diagram.expected == diagram.phase.mode().values.mode().values).double().mean())
    same, moved = (int((each.phase == diagram.phase).sum()) for each in (runs.all_scaled, runs.one_scaled))
    x = short(config.factor)
    orders, controls = (_orders(each) for each in (runs.by_feature, runs.equal))
    return {
        "cells_as_theory_says": share(
            "cells as theory says", int(diagram.agrees.sum()), n, common, "the commonest phase everywhere", "cells"
        ),
        "cells_as_theory_says_with_one_restart": share(
            "cells as theory says with one restart",
            int(runs.once.agrees.sum()),
            n,
            common,
            "the commonest phase everywhere",
            "cells",
        ),
        "unchanged_by_scaling_all_importances": share(
            f"cells of the same phase after multiplying all importances by {x}",
            same,
            n,
            moved / n,
            f"the second alone times {x}",
            "cells",
        ),
        "importance_and_error": over_seeds(
            "rank correlation of importance and a feature's squared error, not weighted by it",
            orders,
            sum(controls) / len(controls),
            EQUAL,
        ),
    }


def _orders(found: Collapse) -> list[float]:
    """Of each seed: importance (by place) against the error, mean over densities in its rank."""
    place = -torch.arange(len(found.importance), dtype=torch.float64)
    return [rank_correlation(place, errors) for errors in _unweighted(found).mean(1)]


def _unweighted(found: Collapse) -> Tensor:
    """Squared errors relative to those of an answer of the mean: 1 says nothing is known of the feature."""
    p = found.densities[:, None]
    return found.loss / found.importance / (p / 3 - p * p / 4)


def _answer(config: PhaseConfig, runs: Runs, found: dict[str, Finding]) -> tuple[str, ...]:
    diagram = runs.diagram
    odd = ~diagram.agrees
    lines = _beyond(diagram)[odd]
    kinds = {PHASES[i] for i in diagram.phase[odd].tolist()}
    moved = found["unchanged_by_scaling_all_importances"].control or 0.0
    rest = "Every cell agrees."
    if len(lines):
        rest = (
            f"The other cells lie at densities of {short(float(lines.min()))} to {short(float(lines.max()))} times the "
            f"boundary's; there training found: {', '.join(sorted(kinds))}."
        )
    return (
        "Importance multiplies the squared error of a feature's own output: it says how much is lost by what others "
        "do to the feature, not by what the feature does to others. Only ratios matter: multiplying all importances by "
        f"{short(config.factor)} leaves {found['unchanged_by_scaling_all_importances'].value:.1%} of the cells as "
        f"they are, multiplying one {moved:.1%} of them.",
        "Two features share one dimension, as an antipodal pair, where they are on less often than "
        "p* = 4s / (2 + 5s), s the smaller importance over the larger. Trained models agree in "
        f"{found['cells_as_theory_says']} of the cells. {rest}",
        f"Importance and the error of a feature, not weighted by it, have a rank correlation of "
        f"{found['importance_and_error']}.",
    )


def _beyond(diagram: PhaseDiagram) -> Tensor:
    """The density of each cell over that of the boundary."""
    return diagram.densities[None] / boundary(diagram.ratios)[:, None]


def _map(diagram: PhaseDiagram) -> Heatmap:
    r = diagram.ratios
    edge = Line("p* = 4s / (2 + 5s)", numbers(boundary(r)), numbers(r), role="theory")
    shown = sorted(set(diagram.phase.flatten().tolist()))
    cells = tuple(tuple(shown.index(int(i)) for i in row) for row in diagram.phase)
    return Heatmap(
        "Phases of two features in one dimension",
        f"Left of the line both features are kept, on opposite sides; right of it only the more important one: "
        f"{float(diagram.agrees.double().mean()):.1%} of the cells are as the line says.",
        "density",
        "importance of the second feature, that of the first is 1",
        numbers(diagram.densities),
        numbers(r),
        cells,
        classes=tuple(PHASES[i] for i in shown),
        lines=(edge,),
        log_x=True,
        log_y=True,
    )


def _losses(diagram: PhaseDiagram) -> Curves:
    """Along the row nearest to a ratio of 1/2: what both phases cost, and what training found."""
    row = int((diagram.ratios.log() - torch.tensor(0.5).log()).abs().argmin())
    r, p = float(diagram.ratios[row]), diagram.densities
    alone, both = r * (p / 3 - p * p / 4), (1 + r) * p * p / 6
    ratio = _excess(diagram)[row]
    return Curves(
        f"Loss along one row, importance {short(r)}",
        f"The trained loss is {float(ratio.min()):.0%} to {float(ratio.max()):.0%} of the cheaper of the two phases' "
        f"simplest weights, which cross at density {short(float(boundary(torch.tensor([r]).double())))}.",
        "density",
        "loss, over the density",
        (
            Line("trained", numbers(p), numbers(diagram.loss[row] / p)),
            Line("only the first", numbers(p), numbers(alone / p), role="theory"),
            Line("antipodal", numbers(p), numbers(both / p), role="theory"),
        ),
        log_x=True,
    )


def _errors(runs: Runs, config: PhaseConfig) -> Curves:
    """Errors by feature at the density in the middle."""
    middle = config.collapse.densities // 2
    place = torch.arange(1, config.collapse.n + 1)
    measured, equal = (_unweighted(each)[:, middle] for each in (runs.by_feature, runs.equal))
    p = short(float(runs.by_feature.densities[middle]))
    return Curves(
        f"Error of each feature at density {p}",
        f"The error of the most important feature is {float(measured[:, 0].mean()):.2f} of what answering the mean "
        f"costs, that of the least important {float(measured[:, -1].mean()):.2f}; with equal importances they are "
        f"{float(equal[:, 0].mean()):.2f} and {float(equal[:, -1].mean()):.2f}.",
        "feature, from the most important (1)",
        "squared error, over that of answering the mean",
        (band("measured", place, measured), band("equal importances", place, equal, "control")),
    )


def _odd(diagram: PhaseDiagram) -> Table:
    rows = []
    for line, column in (~diagram.agrees).nonzero().tolist():
        r, p = float(diagram.ratios[line]), float(diagram.densities[column])
        where = short(float(_beyond(diagram)[line, column]))
        W = ", ".join(f"{w:.2f}" for w in diagram.W[line, column].tolist())
        expected, got = (PHASES[int(grid[line, column])] for grid in (diagram.expected, diagram.phase))
        rows.append((short(r), short(p), where, expected, got, W, short(float(_excess(diagram)[line, column]))))
    return Table(
        "Cells that are not as theory says",
        f"{len(rows)} of {diagram.phase.numel()} cells. Beside each its density over that of the boundary, and its "
        "loss over that of the better phase's simplest weights: below 1 the trained weights are better.",
        ("importance", "density", "over p*", "theory", "trained", "weights", "loss over theory's"),
        tuple(rows) or (("none", "", "", "", "", "", ""),),
    )


def _excess(diagram: PhaseDiagram) -> Tensor:
    """The trained loss over the smaller of both phases' simplest weights."""
    r, p = diagram.ratios[:, None], diagram.densities[None]
    alone = torch.minimum(r, torch.ones_like(r)) * (p / 3 - p * p / 4)
    return diagram.loss / torch.minimum(alone, (1 + r) * p * p / 6)
