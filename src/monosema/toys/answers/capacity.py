"""The experiment `capacity`: what the Frobenius norm says, what dimensionality says, and what capacity is worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import TypeVar

import torch
from torch import Tensor

from monosema.core.exhibits import Curves, Exhibit, Line, Panel, Table
from monosema.core.findings import Finding, short
from monosema.core.seeding import generator
from monosema.toys.answers.allocation import Allocation, allocate
from monosema.toys.answers.classifier import Classifier, classifier
from monosema.toys.answers.drawn import band
from monosema.toys.capacity import represented
from monosema.toys.collapse import rank_correlation
from monosema.toys.inputs import uniform_inputs
from monosema.toys.intervals import over_seeds, share
from monosema.toys.readings import Reading, Rescaled, read, rescaled
from monosema.toys.settings import CapacityConfig
from monosema.toys.superposition import ToyConfig
from monosema.toys.sweeps import Swept, sweep
from monosema.toys.training import ToyTrainConfig, train

QUESTION = "Does the Frobenius norm count features, as dimensionality does?"
UNIT = "the same directions at norm 1"
T = TypeVar("T")

SPARSE = 0.05
"""Densities up to this are called sparse."""


@dataclass(frozen=True)
class Runs:
    """What the experiment trained. swept: by seed. unit: readings of the same weights, their columns at norm 1."""

    swept: tuple[tuple[Swept, ...], ...]
    unit: tuple[tuple[Reading, ...], ...]
    pentagon: Reading
    classifier: Classifier
    scaled: tuple[Rescaled, ...]
    flipped: Rescaled
    allocation: Allocation


def capacity(config: CapacityConfig) -> Exhibit:
    """Train everything and say what was seen."""
    s = config.sweep
    found = sweep(s.shapes, s.densities * s.seeds, s.restarts, _training(config))
    per_seed = [found_of(found, seed, len(s.densities), s.seeds) for seed in range(s.seeds)]
    network = classifier(config.rows, config.seed)
    runs = Runs(
        tuple(per_seed),
        tuple(tuple(read(at_norm_one(one.W)) for one in swept) for swept in per_seed),
        _pentagon(config),
        network,
        tuple(rescaled(network.weights, network.x, 1, factor) for factor in config.factors),
        rescaled(network.weights, network.x, 1, -1.0),
        allocate(config.decay, config.steps, config.seed),
    )
    findings_of = findings(config, runs)
    panels: tuple[Panel, ...] = (
        _measures(config, runs),
        _table(runs),
        _scaling(config, runs),
        *runs.allocation.panels(),
    )
    words = f"{found[0].how} for each of {len(s.shapes)} shapes; {network.how}; {runs.allocation.how}"
    return Exhibit("capacity", QUESTION, _answer(runs, findings_of), panels, findings_of, config, words)


def _training(config: CapacityConfig) -> ToyTrainConfig:
    s = config.sweep
    return ToyTrainConfig(steps=s.steps, lr=s.lr, last_lr=0.0, seed=s.seed)


def found_of(found: Sequence[T], seed: int, n_densities: int, n_seeds: int) -> tuple[T, ...]:
    """The models of one seed: a shape's densities come seed after seed."""
    block = n_densities * n_seeds
    return tuple(one for i, one in enumerate(found) if i % block // n_densities == seed)


def at_norm_one(W: Tensor) -> Tensor:
    """Represented columns brought to norm 1, the others to 0: there the Frobenius norm is a count."""
    return torch.where(represented(W), torch.nn.functional.normalize(W, dim=0), torch.zeros_like(W))


def _pentagon(config: CapacityConfig) -> Reading:
    """The sparse limit of 5 features in 2 dimensions, the best of 16."""
    training = ToyTrainConfig(steps=config.steps, lr=0.05, last_lr=0.0, method="exact_one", seed=config.seed)
    run = train(ToyConfig(n=5, m=2), uniform_inputs(16, 5, 0.01), training)
    return read(run.toys.W_in[run.loss.argmin()])


def findings(config: CapacityConfig, runs: Runs) -> dict[str, Finding]:
    """The headline numbers."""
    ratios, controls, orders, chance = [], [], [], []
    for seed, (swept, unit) in enumerate(zip(runs.swept, runs.unit, strict=True)):
        sparse = [i for i, one in enumerate(swept) if one.density <= SPARSE] or list(range(len(swept)))
        ratios.append(mean(swept[i].reading.frobenius / swept[i].reading.per_feature for i in sparse))
        controls.append(mean(unit[i].frobenius / unit[i].per_feature for i in sparse))
        a, b = (torch.tensor(values, dtype=torch.float64) for values in _pairs(swept))
        orders.append(rank_correlation(a, b))
        mixed = torch.randperm(len(b), generator=generator(config.seed, "capacity", seed))
        chance.append(rank_correlation(a, b[mixed]))
    rows = len(runs.classifier.x) * len(runs.scaled)
    changed = round(sum(one.answers for one in runs.scaled) * len(runs.classifier.x))
    most = max(runs.scaled, key=lambda one: one.factor)
    equal, own = runs.allocation.spreads()
    return {
        "frobenius_over_dimensionality": over_seeds(
            "features per dimension by |W|^2 / m, over the same by dimensionality, of sparse models",
            ratios,
            mean(controls),
            UNIT,
        ),
        "order_of_models": over_seeds(
            "rank correlation of the two measures over all models", orders, mean(chance), "models in random order"
        ),
        "answers_changed_by_scaling_a_layer": share(
            f"answers changed by scaling a layer by {_listed(config.factors)}",
            changed,
            rows,
            runs.flipped.answers,
            "the layer times -1",
            "answers",
        ),
        "frobenius_after_scaling": Finding(
            f"|W|^2 / m after scaling by {short(most.factor)}, over before",
            most.frobenius,
            1 + most.dimensionality,
            "dimensionality of the same layer",
            most.frobenius,
            most.frobenius,
            1,
            "layers",
        ),
        "uneven_value_of_capacity": over_seeds(
            "largest difference between features in what capacity is worth, after training",
            own,
            mean(equal),
            "a pentagon forced on features of the same importances",
            "models",
        ),
    }


def _pairs(swept: Sequence[Swept]) -> tuple[list[float], list[float]]:
    return [one.reading.frobenius for one in swept], [one.reading.per_feature for one in swept]


def _listed(factors: Sequence[float]) -> str:
    return ", ".join(short(factor) for factor in factors)


def _answer(runs: Runs, found: dict[str, Finding]) -> tuple[str, ...]:
    five, ratio = runs.pentagon, found["frobenius_over_dimensionality"]
    verdict = "Here it does." if ratio.low <= 1 <= ratio.high and five.frobenius_holds else "No."
    return (
        f"{verdict} The trained pentagon holds 5 features in 2 dimensions, 2.5 per dimension. |W|^2 / m says "
        f"{five.frobenius:.3f}, since its directions have norm {five.longest:.3f}; dimensionality says "
        f"{five.per_feature:.3f}, the count {five.counted:.3f}, the participation ratio {five.effective:.3f}.",
        f"Over sparse models |W|^2 / m is {ratio} times what dimensionality says. The rank correlation of both, which "
        f"asks only for the order of models, is {found['order_of_models']}.",
        "Scaling a layer of a bias-free ReLU classifier changes "
        f"{found['answers_changed_by_scaling_a_layer'].value:.0%} of its answers, and |W|^2 / m by "
        f"{short(found['frobenius_after_scaling'].value)} times: a number of features cannot depend on that.",
        "What a little more capacity is worth to a feature, as a share of the loss: the largest difference between "
        f"features is {found['uneven_value_of_capacity']}; at an optimum there is none.",
        *five.trust(),
    )


def _measures(config: CapacityConfig, runs: Runs) -> Curves:
    """All measures of the largest shape against density."""
    shape = max(config.sweep.shapes)
    names = {
        "frobenius": "|W|^2 / m",
        "per_feature": "1 / dimensionality",
        "counted": "represented / m",
        "effective": "participation ratio / m",
    }
    x = config.sweep.densities
    lines = []
    for field, words in names.items():
        values = [[getattr(one.reading, field) for one in swept if (one.n, one.m) == shape] for swept in runs.swept]
        lines.append(band(words, x, torch.tensor(values, dtype=torch.float64)))
    unit = [
        [reading.frobenius for one, reading in zip(swept, readings, strict=True) if (one.n, one.m) == shape]
        for swept, readings in zip(runs.swept, runs.unit, strict=True)
    ]
    return Curves(
        f"Features per dimension, n = {shape[0]}, m = {shape[1]}",
        f"At density {short(x[0])} the Frobenius measure says {lines[0].y[0]:.2f}, dimensionality "
        f"{lines[1].y[0]:.2f}, the count {lines[2].y[0]:.2f}; at density {short(x[-1])} they say "
        f"{lines[0].y[-1]:.2f}, {lines[1].y[-1]:.2f} and {lines[2].y[-1]:.2f}.",
        "density",
        "features per dimension",
        (*lines, band("|W|^2 / m at norm 1", x, torch.tensor(unit, dtype=torch.float64), "control")),
        log_x=True,
    )


def _table(runs: Runs) -> Table:
    rows = []
    for one in runs.swept[0]:
        r = one.reading
        measured = (r.frobenius, r.counted, r.effective, r.per_feature)
        capacity_of = f"{r.capacity:.2f} of {r.rank}"
        rows.append(
            (f"{one.n} in {one.m}", short(one.density), one.shape, *(f"{v:.2f}" for v in measured), capacity_of)
        )
    return Table(
        "Models of the first seed",
        "Each model by all four measures, with its shape and how much of its dimensions its features use.",
        (
            "features",
            "density",
            "shape",
            "|W|^2 / m",
            "represented / m",
            "effective / m",
            "1 / dimensionality",
            "capacity",
        ),
        tuple(rows),
    )


def _scaling(config: CapacityConfig, runs: Runs) -> Curves:
    x = config.factors
    return Curves(
        "A layer of a classifier, scaled",
        f"Scaling changes {max(one.answers for one in runs.scaled):.0%} of the answers, dimensionality by at most "
        f"{max(one.dimensionality for one in runs.scaled):.1g}, and the Frobenius measure by the square of the factor.",
        "factor",
        "measure after, over before",
        (
            Line("|W|^2 / m", x, tuple(one.frobenius for one in runs.scaled)),
            Line("factor squared", x, tuple(factor**2 for factor in x), role="theory"),
            Line("dimensionality", x, tuple(1 + one.dimensionality for one in runs.scaled), role="control"),
        ),
        log_x=True,
        log_y=True,
    )
