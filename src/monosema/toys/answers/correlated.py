"""The experiment `correlated`: where features lie that occur together, and those that never do."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from monosema.core.exhibits import Arrows, Curves, Exhibit, Heatmap, Line, Panel, Table
from monosema.core.findings import Finding, short
from monosema.toys.answers.drawn import directions, numbers
from monosema.toys.geometry import cosines
from monosema.toys.intervals import over_seeds
from monosema.toys.pairs import KINDS, Kind, Paired, density_grid, inputs_of, train_pairs
from monosema.toys.settings import CorrelatedConfig
from monosema.toys.superposition import ToyConfig
from monosema.toys.training import ToyRun, ToyTrainConfig, train

QUESTION = "Where does a model put features that occur together, and those that never do?"
INDEPENDENT = "independent features, on as often"
DRAWN, DRAWN_RESTARTS, DRAWN_DENSITY = 8, 3, 0.1
PAIR_SHADES = torch.tensor([1.0, 1.0, 0.35, 0.35])


@dataclass(frozen=True)
class Runs:
    """What the experiment trained: the models of each kind, and those of four features that are drawn."""

    paired: dict[Kind, Paired]
    drawn: dict[Kind, ToyRun]


def correlated(config: CorrelatedConfig) -> Exhibit:
    """Train everything and say what was seen."""
    runs = Runs(
        {kind: train_pairs(config, kind) for kind in KINDS},
        {kind: _drawn(config, kind) for kind in KINDS},
    )
    found = findings(config, runs)
    panels: tuple[Panel, ...] = (
        *(_arrows(runs.drawn[kind], kind) for kind in KINDS),
        *(_by_density(config, runs, i) for i in _ends(config)),
        *(_map(config, runs.paired[kind]) for kind in KINDS),
        _errors(config, runs),
        _table(config, runs),
    )
    one = runs.paired["independent"]
    how = (
        f"for each of {len(config.dimensions)} numbers of dimensions and three kinds of input {one.how}; the best of "
        f"{config.restarts} restarts is kept of each of {config.seeds} seeds and {config.densities} densities"
    )
    return Exhibit("correlated", QUESTION, _answer(config, runs, found), panels, found, config, how)


def _drawn(config: CorrelatedConfig, kind: Kind) -> ToyRun:
    """Two pairs in two dimensions, of several seeds."""
    p = torch.full((DRAWN * DRAWN_RESTARTS,), DRAWN_DENSITY, dtype=torch.float64)
    training = ToyTrainConfig(
        steps=config.steps,
        batch=config.batch,
        lr=config.lr,
        last_lr=0.0,
        snapshots=config.frames,
        seed=config.seed,
    )
    return train(ToyConfig(n=4, m=2), inputs_of(kind, 4, p), training)


def _ends(config: CorrelatedConfig) -> tuple[int, int]:
    """The places of the fewest and of the most dimensions."""
    return 0, len(config.dimensions) - 1


def findings(config: CorrelatedConfig, runs: Runs) -> dict[str, Finding]:
    """The headline numbers."""
    few, most = _ends(config)
    together, never, alone = (runs.paired[kind] for kind in KINDS)
    lowest, highest = (short(float(p)) for p in density_grid(config)[[0, -1]])
    return {
        "cosine_of_features_that_never_occur_together": over_seeds(
            "mean cosine within anticorrelated pairs, over all dimensions and densities",
            numbers(never.within.nanmean((0, 2))),
            float(alone.within.nanmean()),
            INDEPENDENT,
        ),
        "cosine_of_features_that_occur_together_with_room": over_seeds(
            f"mean cosine within correlated pairs in {config.dimensions[most]} dimensions at density {lowest}",
            numbers(together.within[most, :, 0]),
            float(alone.within[most, :, 0].mean()),
            INDEPENDENT,
        ),
        "cosine_of_features_that_occur_together_without_room": over_seeds(
            f"mean cosine within correlated pairs in {config.dimensions[few]} dimensions at density {highest}",
            numbers(together.within[few, :, -1]),
            float(alone.within[few, :, -1].nanmean()),
            INDEPENDENT,
        ),
        "cosine_across_pairs_that_occur_together": over_seeds(
            "mean cosine across correlated pairs, over all dimensions and densities",
            numbers(together.across.nanmean((0, 2))),
            float(alone.across.nanmean()),
            INDEPENDENT,
        ),
        "loss_of_features_that_never_occur_together": over_seeds(
            "loss with anticorrelated pairs, over that with independent features",
            numbers(_relative(never, alone)),
            float(_relative(together, alone).mean()),
            "correlated pairs over independent features",
        ),
    }


def _relative(one: Paired, other: Paired) -> Tensor:
    """Of each seed, the loss over all dimensions and densities beside that of `other`."""
    return one.loss.mean((0, 2)) / other.loss.mean((0, 2))


def _answer(config: CorrelatedConfig, runs: Runs, found: dict[str, Finding]) -> tuple[str, ...]:
    never = found["cosine_of_features_that_never_occur_together"]
    room, crowded = (found[f"cosine_of_features_that_occur_together_{how}_room"] for how in ("with", "without"))
    apart = never.high < min(0.0, never.control or 0.0)
    beside = crowded.low > max(0.5, crowded.control or 0.0)
    orthogonal = abs(room.value) < 0.1
    opposite = "mostly on opposite sides" if apart else "nowhere in particular"
    with_room = "at right angles" if orthogonal else f"at a mean cosine of {room.value:.2f}"
    without = "side by side" if beside else f"at a mean cosine of {crowded.value:.2f}"
    facing = [f"{_facing(runs.drawn[kind])} with {kind}" for kind in KINDS]
    return (
        f"Features that never occur together lie {opposite}: neither is ever disturbed by the other, so that sharing a "
        f"line costs nothing. Their mean cosine is {never}.",
        f"Features that always occur together lie {with_room} while there is room, and {without} when there is none: "
        f"a mean cosine of {room} in {config.dimensions[-1]} dimensions and sparse, of {crowded} in "
        f"{config.dimensions[0]} and dense. Side by side the model keeps their sum and lets their difference go, as "
        "principal components would.",
        f"Of two pairs in two dimensions at density {DRAWN_DENSITY} the features of each pair face one another in so "
        f"many of {DRAWN} models, each the best of {DRAWN_RESTARTS}: {', '.join(facing)} features. "
        "Who faces whom by chance would be one of three ways.",
        "Beside independent features at the same density the loss of those that never occur together is "
        f"{found['loss_of_features_that_never_occur_together']}; the control is that of those that always do.",
    )


def _facing(run: ToyRun) -> int:
    """In how many of the best models the features of both pairs are opposite."""
    best = run.toys.best_of(run.loss, DRAWN)
    return sum(max(cosines(W)[[0, 2], [1, 3]].tolist()) < -0.9 for W in best.W_in)


def _arrows(run: ToyRun, kind: Kind) -> Arrows:
    best = int(run.loss.argmin())
    within = cosines(run.toys.W_in[best])[[0, 2], [1, 3]].tolist()
    return Arrows(
        f"Two pairs in two dimensions, {kind}",
        f"Strong arrows are one pair, faint ones the other: the cosines within pairs end at {within[0]:.2f} and "
        f"{within[1]:.2f}. The best model is shown; of {DRAWN}, each the best of "
        f"{DRAWN_RESTARTS}, {_facing(run)} have both pairs opposite.",
        directions(run, best, PAIR_SHADES),
    )


def _by_density(config: CorrelatedConfig, runs: Runs, place: int) -> Curves:
    m, x = config.dimensions[place], density_grid(config)
    mean = {kind: runs.paired[kind].within[place].nanmean(0) for kind in KINDS}
    ends = [f"{kind} {float(mean[kind][0]):.2f} to {float(mean[kind][-1]):.2f}" for kind in KINDS]
    return Curves(
        f"Within pairs, {config.n} features in {m} dimensions",
        f"Mean cosines from density {short(float(x[0]))} to {short(float(x[-1]))}: {'; '.join(ends)}. Bands run from "
        "the lowest to the highest of the seeds with a pair of which both are represented.",
        "density",
        "mean cosine within pairs",
        tuple(
            _seen(f"{kind} pairs" if kind != "independent" else kind, x, runs.paired[kind].within[place], kind)
            for kind in KINDS
        ),
        log_x=True,
    )


def _seen(name: str, x: Tensor, values: Tensor, kind: Kind) -> Line:
    """As `band`, over the seeds that have a value."""
    there = ~values.isnan()
    low, high = (values.where(there, end) for end in (math.inf, -math.inf))
    ends = [part.where(there.any(0), math.nan) for part in (low.amin(0), high.amax(0))]
    role = "control" if kind == "independent" else "measured"
    return Line(name, numbers(x), numbers(values.nanmean(0)), *map(numbers, ends), role=role)


def _map(config: CorrelatedConfig, paired: Paired) -> Heatmap:
    cells = paired.within.nanmean(1)
    pairs = "pairs of independent features" if paired.kind == "independent" else f"{paired.kind} pairs"
    return Heatmap(
        f"Mean cosine, {pairs}",
        f"From {float(cells.nan_to_num(nan=1).min()):z.2f} to {float(cells.nan_to_num(nan=-1).max()):z.2f}: -1 is "
        "opposite, 0 at right angles, 1 side by side.",
        "density",
        "dimensions",
        numbers(density_grid(config)),
        config.dimensions,
        tuple(numbers(row) for row in cells),
        low=-1.0,
        high=1.0,
        log_x=True,
    )


def _errors(config: CorrelatedConfig, runs: Runs) -> Curves:
    place = len(config.dimensions) // 2
    lost = {kind: runs.paired[kind].loss[place] for kind in KINDS}
    x, last = density_grid(config), {kind: float(lost[kind][:, -1].mean()) for kind in KINDS}
    return Curves(
        f"What is lost, {config.n} features in {config.dimensions[place]} dimensions",
        f"At density {short(float(x[-1]))} the loss is {last['correlated']:.3f} of that of answering 0 with correlated "
        f"pairs, {last['anticorrelated']:.3f} with anticorrelated ones and {last['independent']:.3f} with independent "
        "features.",
        "density",
        "loss, over that of answering 0",
        tuple(_seen(kind, x, lost[kind], kind) for kind in KINDS),
        log_x=True,
    )


def _table(config: CorrelatedConfig, runs: Runs) -> Table:
    rows = []
    for i, m in enumerate(config.dimensions):
        for kind in KINDS:
            one = runs.paired[kind]
            values = (float(part[i].nanmean()) for part in (one.within, one.across))
            rows.append((str(m), kind, *(f"{value:.3f}" for value in values), f"{float(one.loss[i].mean()):.4f}"))
    return Table(
        "Cosines by dimensions",
        "Means over densities and seeds of the cosine of two represented features: of a pair, and of different pairs.",
        ("dimensions", "pairs", "within pairs", "across pairs", "loss, over that of answering 0"),
        tuple(rows),
    )
