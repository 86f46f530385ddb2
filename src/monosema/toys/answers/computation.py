"""The experiment `computation`: what neurons do that compute |x| of more features than there are of them."""

from dataclasses import dataclass
from statistics import mean

import torch
from jaxtyping import Float64
from torch import Tensor

from monosema.core.exhibits import Curves, Exhibit, Heatmap, Panel, Table
from monosema.core.findings import Finding, short
from monosema.toys.answers.drawn import band, densities_between, numbers
from monosema.toys.inputs import Inputs, uniform_inputs
from monosema.toys.intervals import over_seeds, share
from monosema.toys.neurons import MOST, affine_loss, asymmetry, lead, monosemantic, silent, train_outputs, uses
from monosema.toys.settings import ComputationConfig
from monosema.toys.superposition import ToyConfig, Toys, initial
from monosema.toys.training import ToyTrainConfig, train

QUESTION = "What do neurons do that compute |x| of more features than there are of them?"
RANDOM = "random input weights, outputs trained as long"
BEFORE = "the same models before training"
NO_NEURONS = "the same models without the hidden ReLU"


@dataclass(frozen=True)
class Trained:
    """The best of the restarts, and its loss over that of answering the mean. Instances run over seeds of each
    density."""

    toys: Toys
    loss: Float64[Tensor, "seed density"]


@dataclass(frozen=True)
class Runs:
    """Models that compute |x|, and those beside them; `kept` and `plain` keep x, with a hidden ReLU and without."""

    computed: Trained
    random: Trained
    no_neurons: Trained
    before: Toys
    kept: Trained
    plain: Trained
    how: str


def computation(config: ComputationConfig) -> Exhibit:
    """Train everything and say what was seen."""
    runs = _runs(config)
    found = findings(config, runs)
    panels: tuple[Panel, ...] = (
        _neurons_of_one(config, runs),
        _losses(config, runs),
        _asymmetries(config, runs),
        _kept(config, runs),
        *(_passes_on(config, runs, i) for i in (config.densities - 1, 0)),
        _table(config, runs),
    )
    return Exhibit("computation", QUESTION, _answer(config, runs, found), panels, found, config, runs.how)


def density_grid(config: ComputationConfig) -> Float64[Tensor, "density"]:
    """The densities, rising to 1."""
    return densities_between(config.densities, config.lowest).flip(0)


def _runs(config: ComputationConfig) -> Runs:
    p = density_grid(config).repeat(config.seeds).repeat_interleave(config.restarts)
    plain = uniform_inputs(len(p), config.n, p, config.decay)
    signed = Inputs(plain.probability, plain.importance, signed=True)
    training = ToyTrainConfig(steps=config.steps, batch=config.batch, lr=config.lr, last_lr=0.0, seed=config.seed)
    absolute, linear = (
        ToyConfig(n=config.n, m=config.m, tied=False, neurons=neurons, absolute=True) for neurons in (True, False)
    )
    computed = train(absolute, signed, training)
    without = train(linear, signed, training)
    random, of_random = train_outputs(absolute, signed, training)
    kept, alone = (
        train(ToyConfig(n=config.n, m=config.m, neurons=neurons), plain, training) for neurons in (True, False)
    )
    of_mean = affine_loss(signed)
    before = initial(absolute, len(p), config.seed)
    every = torch.arange(len(p), dtype=torch.float64)
    how = (
        f"{computed.how}, five times over: |x| with neurons, without, with random input weights; x with neurons and "
        f"without; the best of {config.restarts} restarts is kept of each of {config.seeds} seeds and "
        f"{config.densities} densities"
    )
    return Runs(
        _best(config, computed.toys, computed.loss, of_mean),
        _best(config, random, of_random, of_mean),
        _best(config, without.toys, without.loss, of_mean),
        before.best_of(every, config.seeds * config.densities),
        _best(config, kept.toys, kept.loss, of_mean),
        _best(config, alone.toys, alone.loss, of_mean),
        how,
    )


def _best(config: ComputationConfig, toys: Toys, loss: Tensor, of_mean: Tensor) -> Trained:
    """x in [0, 1] and |x| of x in [-1, 1] are spread alike, so `of_mean` is the same for both."""
    shape = (config.seeds, config.densities)
    relative = (loss / of_mean).view(*shape, -1).amin(-1)
    return Trained(toys.best_of(loss, config.seeds * config.densities), relative)


def _shaped(config: ComputationConfig, values: Float64[Tensor, "instance"]) -> Float64[Tensor, "seed density"]:
    return values.view(config.seeds, config.densities)


def findings(config: ComputationConfig, runs: Runs) -> dict[str, Finding]:
    """The headline numbers."""
    of_one = _shaped(config, monosemantic(runs.computed.toys))
    kept, plain = (_shaped(config, monosemantic(one.toys)) for one in (runs.kept, runs.plain))
    lopsided, drawn = (_shaped(config, asymmetry(toys)).log() for toys in (runs.computed.toys, runs.before))
    shared = of_one.mean(0) < 0.5 if bool((of_one.mean(0) < 0.5).any()) else of_one.mean(0) <= 1
    relative, of_random = (one.loss / runs.no_neurons.loss for one in (runs.computed, runs.random))
    lowest = short(float(density_grid(config)[0]))
    return {
        "monosemantic_neurons_when_dense": share(
            "share of neurons that serve one feature, at density 1",
            *_counted(config, runs.computed.toys, -1),
            float(_shaped(config, monosemantic(runs.before))[:, -1].mean()),
            BEFORE,
            f"neurons of {config.seeds} seeds",
        ),
        "monosemantic_neurons_when_sparse": share(
            f"share of neurons that serve one feature, at density {lowest}",
            *_counted(config, runs.computed.toys, 0),
            float(of_one[:, -1].mean()),
            "density 1",
            f"neurons of {config.seeds} seeds",
        ),
        "loss_over_that_of_the_best_affine_map": over_seeds(
            "loss of |x| over that of the best affine map, mean over densities",
            numbers(runs.computed.loss.mean(1)),
            float(runs.random.loss.mean()),
            RANDOM,
        ),
        "loss_over_that_without_a_hidden_relu": over_seeds(
            "loss of |x| over that of the same models without the hidden ReLU, mean over densities",
            numbers(relative.mean(1)),
            float(of_random.mean()),
            RANDOM,
        ),
        "asymmetry_of_shared_neurons": over_seeds(
            "asymmetry of neurons that serve several features, geometric mean over densities where most do",
            numbers(lopsided[:, shared].mean(1).exp()),
            float(drawn[:, shared].mean().exp()),
            BEFORE,
        ),
        "monosemantic_neurons_that_keep_x": over_seeds(
            "share of neurons that serve one feature where x is the target, mean over densities",
            numbers(kept.mean(1)),
            float(plain.mean()),
            NO_NEURONS,
        ),
    }


def _counted(config: ComputationConfig, toys: Toys, place: int) -> tuple[int, int]:
    """Of the neurons of all seeds at one density that are not silent: how many serve one feature, and how many."""
    speaks = ~silent(toys)
    of_one = speaks & (lead(toys) >= MOST)
    hits, n = (neurons.view(config.seeds, config.densities, -1)[:, place].sum() for neurons in (of_one, speaks))
    return int(hits), int(n)


def _answer(config: ComputationConfig, runs: Runs, found: dict[str, Finding]) -> tuple[str, ...]:
    dense, sparse = (found[f"monosemantic_neurons_when_{how}"] for how in ("dense", "sparse"))
    asymmetric = found["asymmetry_of_shared_neurons"]
    lopsided = asymmetric.low > max(1.0, asymmetric.control or 1.0)
    served, ratio = _served(config, runs), (runs.computed.loss / runs.no_neurons.loss).mean(0)
    verdict = "lopsided" if lopsided else "no more lopsided than by chance"
    return (
        f"{config.m} neurons compute |x| of {config.n} features. The share of neurons that serve one feature only is "
        f"{dense} where all features are on, and {sparse} where few are. Dense, they serve {short(served)} "
        f"features in the mean over seeds, by {short(config.m / served)} neurons each.",
        f"The loss is {found['loss_over_that_of_the_best_affine_map']} of that of the best affine map, which is the "
        "mean, as x and |x| are uncorrelated. The output's ReLU alone tells half of a sparse |x|: the loss is "
        f"{found['loss_over_that_without_a_hidden_relu']} of that without the hidden ReLU, from "
        f"{float(ratio[-1]):.2f} at density 1 to {float(ratio[0]):.2f} at the lowest.",
        f"Neurons that serve several features are {verdict}: what the one does to the other's output over what the "
        f"other does to the one's is {asymmetric}; with tied weights it is 1.",
        "Where x itself is the target, hidden ReLUs line features up with neurons too: the share of neurons that serve "
        f"one feature is {found['monosemantic_neurons_that_keep_x']}; without them no direction is special.",
    )


def _served(config: ComputationConfig, runs: Runs) -> float:
    """How many features some neuron is used for most at density 1, in the mean over seeds."""
    most = uses(runs.computed.toys).argmax(2).view(config.seeds, config.densities, -1)[:, -1]
    return mean(float(len(set(neurons))) for neurons in most.tolist())


def _neurons_of_one(config: ComputationConfig, runs: Runs) -> Curves:
    of_one, before = (_shaped(config, monosemantic(toys)) for toys in (runs.computed.toys, runs.before))
    p = density_grid(config)
    most = [short(float(q)) for q, there in zip(p, of_one.mean(0), strict=True) if there > 0.5]
    return Curves(
        "Neurons of one feature, computing |x|",
        f"Most neurons serve one feature at {len(most)} of {len(p)} densities"
        f"{f', from {most[0]} on' if most else ''}; a band runs from the lowest seed to the highest.",
        "density",
        "share of neurons that serve one feature",
        (band("trained", p, of_one), band("before training", p, before, "control")),
        log_x=True,
    )


def _losses(config: ComputationConfig, runs: Runs) -> Curves:
    p = density_grid(config)
    means = [float(one.loss.mean()) for one in (runs.computed, runs.no_neurons, runs.random)]
    return Curves(
        "Loss of |x|",
        f"Over that of the best affine map, in the mean over densities: {means[0]:.2f} with neurons, {means[1]:.2f} "
        f"without the hidden ReLU, {means[2]:.2f} with random input weights.",
        "density",
        "loss, over that of the best affine map",
        (
            band("trained", p, runs.computed.loss),
            band("without hidden ReLU", p, runs.no_neurons.loss, "control"),
            band("random input weights", p, runs.random.loss, "control"),
        ),
        log_x=True,
    )


def _asymmetries(config: ComputationConfig, runs: Runs) -> Curves:
    lopsided, before = (_shaped(config, asymmetry(toys)) for toys in (runs.computed.toys, runs.before))
    p, middle = density_grid(config), lopsided.mean(0)
    top = int(middle.argmax())
    return Curves(
        "How lopsided shared neurons are",
        f"Largest at density {short(float(p[top]))}, {float(middle[top]):.1f} in the mean over seeds; 1 where no "
        "neuron is shared, and with tied weights.",
        "density",
        "one feature's effect on the other, over the other's on it",
        (band("trained", p, lopsided), band("before training", p, before, "control")),
        log_x=True,
        log_y=True,
    )


def _kept(config: ComputationConfig, runs: Runs) -> Curves:
    kept, plain = (_shaped(config, monosemantic(one.toys)) for one in (runs.kept, runs.plain))
    p = density_grid(config)
    top = int(kept.mean(0).argmax())
    return Curves(
        "Neurons of one feature, keeping x",
        f"With hidden ReLUs the share is largest at density {short(float(p[top]))}, {float(kept.mean(0)[top]):.2f}; "
        f"without them it is {float(plain.mean()):.2f} over all densities.",
        "density",
        "share of neurons that serve one feature",
        (band("hidden ReLU", p, kept), band("no hidden ReLU", p, plain, "control")),
        log_x=True,
    )


def _passes_on(config: ComputationConfig, runs: Runs, place: int) -> Heatmap:
    """Of the first seed, neurons by the feature they are used for most."""
    use = uses(runs.computed.toys)[place]
    shares = use / use.sum(1, keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
    shares = shares[use.argmax(1).argsort()]
    p = short(float(density_grid(config)[place]))
    return Heatmap(
        f"What each neuron passes on, density {p}",
        f"A row for each neuron of the first seed, a column for each feature: the largest share in a row is "
        f"{float(shares.amax(1).mean()):.2f} in the mean.",
        "feature, from the most important (1)",
        "neuron",
        tuple(range(1, config.n + 1)),
        tuple(range(1, config.m + 1)),
        tuple(numbers(row) for row in shares),
    )


def _table(config: ComputationConfig, runs: Runs) -> Table:
    of_one, lopsided = (_shaped(config, measure(runs.computed.toys)).mean(0) for measure in (monosemantic, asymmetry))
    leads = lead(runs.computed.toys).mean(1).view(config.seeds, config.densities).mean(0)
    losses = [one.loss.mean(0) for one in (runs.computed, runs.no_neurons, runs.random)]
    rows = tuple(
        (short(float(p)), *(f"{float(column[i]):.3f}" for column in (of_one, leads, lopsided, *losses)))
        for i, p in enumerate(density_grid(config))
    )
    return Table(
        "Neurons that compute |x|, by density",
        "Means over seeds; losses are over that of the best affine map.",
        (
            "density",
            "neurons of one feature",
            "largest share of a feature",
            "asymmetry",
            "loss",
            "without hidden ReLU",
            "random input weights",
        ),
        rows,
    )
