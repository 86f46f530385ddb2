"""The runs behind `scurve`: each function trains many models side by side and returns what was seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from monosema.core.seeding import generator
from monosema.toys.multicomponent.losses import Loss
from monosema.toys.multicomponent.plateaus import Plateau, plateaus
from monosema.toys.multicomponent.products import Factors, aligned, initial
from monosema.toys.multicomponent.scurve_config import ScurveConfig
from monosema.toys.multicomponent.targets import Target, for_each_run, target
from monosema.toys.multicomponent.theory import half_time, loss_of_logistics, seeds_of_growth, time_of_three
from monosema.toys.multicomponent.training import OptimiserConfig, Trajectory, train

N_RECORDS = 1500
"""About so many times the loss of a run is recorded."""

Curve = tuple[list[float], list[float]]
"""Times, and a loss at each."""


@dataclass(frozen=True)
class Runs:
    """Runs of one recipe from several seeds: their curves and plateaus, and those of the logistics read off the start
    (none where there is no theory)."""

    trajectory: Trajectory
    curves: tuple[Curve, ...]
    waits: tuple[tuple[Plateau, ...], ...]
    theory: tuple[Curve, ...] = ()


def from_seeds(made: Target, factors: Factors, loss: Loss, optimiser: OptimiserConfig, steps: int, every: int) -> Runs:
    """Train, and find the plateaus of every run. Time is steps times learning rate; for Adam, steps."""
    ran = train(factors, made, loss, optimiser, steps, record_every=every)
    unit = 1.0 if optimiser.name == "adam" else optimiser.lr
    times = [step * unit for step in ran.steps]
    curves = tuple((times, run) for run in ran.losses.tolist())
    return Runs(ran, curves, tuple(plateaus(*curve) for curve in curves))


def flow_of(config: ScurveConfig, values: Sequence[float], rank: int) -> Runs:
    """Gradient flow on half the squared error until the smallest component is learnt, with its theory."""
    made = target(values, config.size, seed=config.seed)
    factors = initial(config.n_seeds, rank, (config.size,) * 2, config.init, generator(config.seed, "flow", rank))
    lr = 0.02 / values[0]
    last = 1.3 * half_time(values[rank - 1], config.init**2 / 4) + 2 / values[rank - 1]
    steps = round(last / lr)
    runs = from_seeds(made, factors, "mse", OptimiserConfig("flow", lr), steps, max(1, steps // N_RECORDS))
    t = torch.tensor(runs.curves[0][0], dtype=torch.float64)
    expected = (loss_of_logistics(t, values, u0).tolist() for u0 in seeds_of_growth(factors, made).tolist())
    return Runs(runs.trajectory, runs.curves, runs.waits, tuple((t.tolist(), curve) for curve in expected))


def without_product(made: Target, loss: Loss, like: Curve, lr: float) -> Runs:
    """The control: the target's own entries as the parameters, from zero, for as long."""
    still = (torch.zeros_like(made.array)[None],)
    steps = round(like[0][-1] / lr)
    return from_seeds(made, still, loss, OptimiserConfig("flow", lr), steps, max(1, steps // N_RECORDS))


def by_cross_entropy(
    config: ScurveConfig, values: Sequence[float], optimiser: OptimiserConfig, init: float, label: str
) -> Runs:
    """Runs on rows of softmax, twice as large, with as many products as there are values."""
    size = 2 * config.size
    drawn = generator(config.seed, "cross-entropy", len(values), label)
    factors = initial(config.n_seeds, len(values), (size, size), init, drawn)
    return from_seeds(target(values, size, seed=config.seed), factors, "kl", optimiser, config.steps_kl, 2)


@dataclass(frozen=True)
class Map:
    """How often the second plateau is there: [init][ratio], a share of the seeds of each cell."""

    ratios: tuple[float, ...]
    inits: tuple[float, ...]
    shares: tuple[tuple[float, ...], ...]


def map_of(config: ScurveConfig, name: str) -> Map:
    """Two components, the second smaller by `ratio`, for each initial size: flow, sgd, adam, or the control, direct."""
    ratios = tuple(0.1 + 0.85 * i / (config.grid - 1) for i in range(config.grid))
    inits = tuple(10 ** (-8 + 7 * i / (config.grid - 1)) for i in range(config.grid))
    cells = [(init, ratio) for init in inits for ratio in ratios for _ in range(config.grid_seeds)]
    start, ratio = torch.tensor(cells, dtype=torch.float64).T
    largest = config.values[0]
    values = torch.stack([torch.full_like(ratio, largest), largest * ratio], 1)
    made = for_each_run(target((largest, largest), config.size, seed=config.seed), values)
    drawn = generator(config.seed, "map")
    factors = initial(len(cells), 2, (config.size,) * 2, start, drawn)
    if name == "direct":
        factors = (torch.zeros_like(made.array),)
    optimiser, rates = _optimiser(config, name, start, values[:, 1])
    # Noise makes the loss of a single step rise; over a stretch of steps it falls.
    steps, every = (config.steps // 2, 10) if name == "adam" else (config.steps, 20)
    entries = generator(config.seed, "entries")
    ran = train(factors, made, "mse", optimiser, steps, record_every=every, rates=rates, generator=entries)
    there = [len(plateaus(ran.steps, curve)) > 1 for curve in ran.losses.tolist()]
    shares = torch.tensor(there, dtype=torch.float64).reshape(config.grid, config.grid, -1).mean(-1)
    return Map(ratios, inits, tuple(map(tuple, shares.tolist())))


def _optimiser(
    config: ScurveConfig, name: str, start: Float64[Tensor, " run"], second: Float64[Tensor, " run"]
) -> tuple[OptimiserConfig, Float64[Tensor, " run"] | None]:
    """And a rate for each run, by which its second component is learnt well before the end."""
    if name == "adam":
        return OptimiserConfig("adam", config.lr_adam), None
    until = 1.2 * torch.log(second / (start**2 / 4)) / (2 * second) + 4 / second
    optimiser = OptimiserConfig("sgd", share=config.share) if name == "sgd" else OptimiserConfig("flow")
    return optimiser, until / config.steps


def boundary(config: ScurveConfig, inits: Sequence[float]) -> tuple[float, ...]:
    """For each initial size the ratio above which two logistics have no second plateau, by halving.

    Of two products the part that grows has, on average, the square init^2; less half of it, which the first
    component holds down, for the second.
    """
    return tuple(_boundary(config.values[0], init) for init in inits)


def _boundary(largest: float, init: float) -> float:
    low, high = 0.01, 0.999
    for _ in range(20):
        ratio = (low + high) / 2
        second = largest * ratio
        last = 1.2 * half_time(second, init**2 / 2) + 4 / second
        t = torch.linspace(0, last, 3000, dtype=torch.float64)
        curve = loss_of_logistics(t, (largest, second), (init**2, init**2 / 2))
        low, high = (ratio, high) if len(plateaus(t.tolist(), curve.tolist())) > 1 else (low, ratio)
    return low


@dataclass(frozen=True)
class Waits:
    """Time until half of a component of size 1 is learnt, for each u0: measured and exact, by number of factors."""

    starts: tuple[float, ...]
    measured: dict[int, tuple[float, ...]]
    exact: dict[int, tuple[float, ...]]


def waits_by_factors() -> Waits:
    """One balanced component of two and of three factors, from u0 = 1e-1 to 1e-6, by Euler steps."""
    starts = tuple(10 ** (-k / 2) for k in range(2, 13))
    exact = {
        2: tuple(half_time(1.0, u0) for u0 in starts),
        3: tuple(time_of_three(1.0, u0, 0.5) for u0 in starts),
    }
    measured = {order: _until_half(order, starts, times) for order, times in exact.items()}
    return Waits(starts, measured, exact)


def _until_half(order: int, starts: Sequence[float], exact: Sequence[float]) -> tuple[float, ...]:
    """All starts side by side, each with steps of a four-thousandth of the time that it should take."""
    made = target((1.0,), 1, order)
    alone = [aligned(made, [u0]) for u0 in starts]
    factors = tuple(torch.cat(parts) for parts in zip(*alone, strict=True))
    rates = torch.tensor(exact, dtype=torch.float64) / 4000
    ran = train(factors, made, "mse", OptimiserConfig("flow"), 5000, rates=rates)
    steps = (ran.strengths[:, :, 0] < 0.5).sum(1)
    return tuple((steps * rates).tolist())
