"""The experiment `superposition`: how many features fit, which collapse first, and what a few rows leave behind."""

from dataclasses import dataclass
from statistics import mean

import torch

from monosema.core.exhibits import Arrows, Curves, Exhibit, Heatmap, Line, Panel, Table
from monosema.core.findings import Finding, short
from monosema.toys.answers.drawn import band, densities_between, directions, numbers
from monosema.toys.collapse import Collapse, collapse_features, order, without_importance
from monosema.toys.geometry import recognise
from monosema.toys.inputs import Inputs, uniform_inputs
from monosema.toys.intervals import over_seeds, share
from monosema.toys.memorisation import Memorised, memorise
from monosema.toys.readings import read
from monosema.toys.settings import SuperpositionConfig
from monosema.toys.superposition import ToyConfig
from monosema.toys.training import ToyRun, ToyTrainConfig, train

QUESTION = "When does a model hold more features than it has dimensions, and which does it let go first?"
EQUAL = "all importances equal"
ZERO = "a model that answers 0"
SHOWN = 5
"""Features whose collapse is drawn as a line of its own."""


@dataclass(frozen=True)
class Runs:
    """What the experiment trained."""

    inputs: Inputs
    drawn: ToyRun
    collapse: Collapse
    equal: Collapse
    memorised: Memorised


def superposition(config: SuperpositionConfig) -> Exhibit:
    """Train everything and say what was seen."""
    inputs = uniform_inputs(config.instances, config.n, densities_between(config.instances), config.decay)
    training = ToyTrainConfig(
        steps=config.steps, lr=0.01, last_lr=0.0, snapshots=config.frames, seed=config.seed, batch=1024
    )
    runs = Runs(
        inputs,
        train(ToyConfig(n=config.n, m=config.m), inputs, training),
        collapse_features(config.collapse),
        collapse_features(without_importance(config.collapse)),
        memorise(config.memorisation),
    )
    found = findings(config, runs)
    panels: tuple[Panel, ...] = (
        *_arrows(config, runs),
        _by_density(runs),
        _collapse_lines(config, runs),
        _kept(config, runs),
        _lasting(config, runs),
        _memorisation(runs),
    )
    words = f"{runs.drawn.how}; collapse: {runs.collapse.how}, and as many of equal importance; memorisation: "
    words += f"{len(config.memorisation.sizes)} sizes of set, {config.memorisation.restarts} models each, on all rows"
    return Exhibit("superposition", QUESTION, _answer(config, runs, found), panels, found, config, words)


def findings(config: SuperpositionConfig, runs: Runs) -> dict[str, Finding]:
    """The headline numbers."""
    c, n_third = config.collapse, max(1, config.collapse.n // 3)
    per_dimension = runs.collapse.kept.double().sum(2) / c.m
    orders, controls = order(runs.collapse), order(runs.equal)
    late = [sum(first >= c.n - n_third for first in found.first) for found in (runs.collapse, runs.equal)]
    fresh = runs.memorised.fresh
    worst = int(fresh.median(1).values.argmax())
    dense = f"density {short(c.highest)}"
    return {
        "features_per_dimension_when_sparse": over_seeds(
            f"represented features per dimension at density {short(c.lowest)}",
            numbers(per_dimension[:, 0]),
            float(per_dimension[:, -1].mean()),
            dense,
        ),
        "order_of_collapse": over_seeds(
            "Spearman's correlation of importance and how long a feature lasts",
            orders,
            mean(controls),
            EQUAL,
        ),
        "first_to_collapse_is_of_the_least_important_third": share(
            "first feature to collapse among the least important third",
            late[0],
            c.seeds,
            late[1] / c.seeds,
            EQUAL,
            "seeds",
        ),
        "worst_loss_on_fresh_rows": over_seeds(
            f"loss on fresh rows with {runs.memorised.sizes[worst]} rows to learn from",
            numbers(fresh[worst]),
            1.0,
            ZERO,
            "models",
        ),
        "loss_on_fresh_rows_with_most": over_seeds(
            f"loss on fresh rows with {runs.memorised.sizes[-1]} rows to learn from",
            numbers(fresh[-1]),
            1.0,
            ZERO,
            "models",
        ),
    }


def _answer(config: SuperpositionConfig, runs: Runs, found: dict[str, Finding]) -> tuple[str, ...]:
    c, lasting = config.collapse, runs.collapse.lasting.mean(0)
    sparse, worst = found["features_per_dimension_when_sparse"], found["worst_loss_on_fresh_rows"]
    shapes = [recognise(W).name for W in runs.drawn.toys.W_in]
    few, many = (float(runs.memorised.fresh[i].mean()) for i in (0, -1))
    follows = found["order_of_collapse"].low > max(0.0, found["order_of_collapse"].control or 0.0)
    first = "The least important collapse first" if follows else "No order by importance is seen in the collapse"
    between = "worst in between" if worst.value > max(few, many) else "no worse in between"
    return (
        f"{config.n} features in {config.m} dimensions: the shape at density 1 is {shapes[0]}, at density "
        f"{short(float(runs.inputs.probability[-1, 0]))} {shapes[-1]}.",
        f"{c.n} features in {c.m} dimensions: {sparse.value:.2f} per dimension are represented at density "
        f"{short(c.lowest)}, {short(sparse.control)} at density {short(c.highest)}.",
        f"{first}: the most important feature lasts over {float(lasting[0]):.0%} of the densities, the least important "
        f"over {float(lasting[-1]):.0%}; importance and lasting have a rank correlation of "
        f"{found['order_of_collapse']}.",
        f"With a fixed set of rows, fresh rows are answered {between}: their loss is {few:.2f} with "
        f"{runs.memorised.sizes[0]} rows, {worst.value:.2f} at its worst "
        f"({worst.name.removeprefix('loss on fresh rows ')}) and {many:.2f} with {runs.memorised.sizes[-1]}; a model "
        "that answers 0 has 1.",
    )


def _arrows(config: SuperpositionConfig, runs: Runs) -> tuple[Arrows, ...]:
    """The densest model, one in the middle, and the sparsest."""
    found = []
    for i in sorted({0, config.instances // 2, config.instances - 1}):
        density = short(float(runs.inputs.probability[i, 0]))
        shape = recognise(runs.drawn.toys.W_in[i])
        dropped = f"; {len(shape.dropped)} of {config.n} have none" if shape.dropped else ""
        says = f"At density {density} the directions end as: {shape.name}{dropped}. Stronger arrows are more important."
        frames = directions(runs.drawn, i, runs.inputs.importance[i])
        found.append(Arrows(f"Feature directions, density {density}", says, frames))
    return tuple(found)


def _by_density(runs: Runs) -> Table:
    rows = []
    for p, loss, W in zip(runs.inputs.probability[:, 0], runs.drawn.loss, runs.drawn.toys.W_in, strict=True):
        reading, shape = read(W), recognise(W)
        numbers_of = (reading.frobenius, reading.counted, reading.effective, reading.per_feature)
        rows.append((short(float(p)), shape.name, *(f"{x:.2f}" for x in numbers_of), f"{float(loss):.4f}"))
    return Table(
        "The same models by density",
        f"Features represented per dimension: {rows[0][3]} at density {rows[0][0]}, {rows[-1][3]} at density "
        f"{rows[-1][0]}.",
        ("density", "shape", "|W|^2 / m", "represented / m", "effective / m", "1 / dimensionality", "loss"),
        tuple(rows),
    )


def _collapse_lines(config: SuperpositionConfig, runs: Runs) -> Curves:
    n = config.collapse.n
    places = sorted({round(i * (n - 1) / (SHOWN - 1)) for i in range(SHOWN)})
    x = numbers(runs.collapse.densities)
    lines = [
        Line(
            f"importance {short(float(runs.collapse.importance[i]))}",
            x,
            numbers(runs.collapse.kept[:, :, i].double().mean(0)),
        )
        for i in places
    ]
    equal, lasting = runs.equal.kept.double().mean((0, 2)), runs.collapse.lasting.mean(0)
    return Curves(
        "Who keeps a direction",
        f"Read from left to right, features become denser and lose their directions: of the densities the most "
        f"important keeps its own at {float(lasting[0]):.0%}, the least important at {float(lasting[-1]):.0%}.",
        "density",
        "share of seeds in which the feature is represented",
        (*lines, Line("equal importances", x, numbers(equal), role="control")),
        log_x=True,
    )


def _kept(config: SuperpositionConfig, runs: Runs) -> Heatmap:
    kept = runs.collapse.kept.double().mean(0).T
    places = tuple(range(1, config.collapse.n + 1))
    return Heatmap(
        "Every feature at every density",
        f"A row for each feature, the most important below: it is represented in {float(kept[0].mean()):.0%} of all "
        f"models, the one on top in {float(kept[-1].mean()):.0%}.",
        "density",
        "feature, from the most important (1)",
        numbers(runs.collapse.densities),
        places,
        tuple(numbers(row) for row in kept),
        log_x=True,
    )


def _lasting(config: SuperpositionConfig, runs: Runs) -> Curves:
    place = torch.arange(1, config.collapse.n + 1)
    return Curves(
        "How long a feature lasts",
        f"The share of densities at which a feature is represented goes with its importance by a rank correlation of "
        f"{short(mean(order(runs.collapse)))}; with equal importances, with its number, of "
        f"{short(mean(order(runs.equal)))}.",
        "feature, from the most important (1)",
        "share of densities",
        (
            band("measured", place, runs.collapse.lasting),
            band("equal importances", place, runs.equal.lasting, "control"),
        ),
    )


def _memorisation(runs: Runs) -> Curves:
    found, x = runs.memorised, numbers([float(size) for size in runs.memorised.sizes])
    fresh = found.fresh.median(1).values
    return Curves(
        "A fixed set of rows",
        f"The loss on the rows themselves rises with their number; on fresh rows the median model is worst with "
        f"{found.sizes[int(fresh.argmax())]} rows and best with {found.sizes[int(fresh.argmin())]}.",
        "rows to learn from",
        "loss of a row of norm 1",
        (
            Line("fresh rows, median model", x, numbers(fresh)),
            band("rows learnt from", x, found.seen.T),
            Line("an answer of 0", (x[0], x[-1]), (1.0, 1.0), role="control"),
        ),
        log_x=True,
    )
