"""How features share dimensions by their importance, and what a little more capacity would be worth to each.

forced   a pentagon, learnt with equal importances, measured with unequal ones: all have 2/5 of a dimension
own      the same models trained with those importances
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from monosema.core.exhibits import Curves, Line
from monosema.core.findings import short
from monosema.toys import exact
from monosema.toys.answers.drawn import band, numbers
from monosema.toys.capacity import dimensionality
from monosema.toys.inputs import Inputs, uniform_inputs
from monosema.toys.marginal import marginal_value
from monosema.toys.superposition import ToyConfig, Toys
from monosema.toys.training import ToyTrainConfig, exact_gradient, train

N, M, DENSITY, RESTARTS = 5, 2, 0.05, 8
SHARED = (0.02, 0.1, 0.3)
"""Densities at which capacities are shown by importance."""
MODEL = ToyConfig(n=N, m=M)


@dataclass(frozen=True)
class Allocation:
    """forced, own: the value of capacity to each feature, as a share of the loss per dimension, less the mean over
    features. capacities: D_i of the best model at each of SHARED."""

    importance: Float64[Tensor, "n"]
    forced: Float64[Tensor, "model n"]
    own: Float64[Tensor, "model n"]
    capacities: Float64[Tensor, "density n"]
    how: str

    def spreads(self) -> tuple[list[float], list[float]]:
        """The largest difference between features of each model, forced and own."""
        forced, own = ((values.amax(1) - values.amin(1)).tolist() for values in (self.forced, self.own))
        return forced, own

    def panels(self) -> tuple[Curves, Curves]:
        """The value of capacity, and how it is shared."""
        worth = Curves(
            "What a little more capacity is worth",
            "Forced to share alike, features differ by "
            f"{float((self.forced.amax(1) - self.forced.amin(1)).mean()):.2f} of the loss in what a whole dimension "
            f"more would be worth; trained, by {float((self.own.amax(1) - self.own.amin(1)).mean()):.1g}.",
            "importance",
            "fall of the loss for one more dimension, share of the loss",
            (
                band("after training", self.importance, -self.own),
                band("a pentagon forced on all", self.importance, -self.forced, "control"),
            ),
        )
        place = torch.arange(1, N + 1)
        shared = Curves(
            "Who has how much of a dimension",
            f"At density {short(SHARED[0])} dimensionality runs from {float(self.capacities[0].min()):.2f} to "
            f"{float(self.capacities[0].max()):.2f}, at {short(SHARED[-1])} from "
            f"{float(self.capacities[-1].min()):.2f} to {float(self.capacities[-1].max()):.2f}.",
            "feature, from the most important (1)",
            "dimensionality",
            tuple(
                Line(f"density {short(p)}", numbers(place.double()), numbers(D))
                for p, D in zip(SHARED, self.capacities, strict=True)
            ),
        )
        return worth, shared


def allocate(decay: float, steps: int, seed: int) -> Allocation:
    """Train both kinds of model on exact losses, and those of every density on samples."""
    equal, unequal = (uniform_inputs(RESTARTS, N, DENSITY, each) for each in (1.0, decay))
    training = ToyTrainConfig(steps=steps, lr=0.03, last_lr=0.0, method="exact_two", seed=seed)
    forced, own = train(MODEL, equal, training), train(MODEL, unequal, training)
    sampled = ToyTrainConfig(steps=steps, lr=0.01, last_lr=0.0, seed=seed)
    p = torch.tensor(SHARED, dtype=torch.float64).repeat_interleave(RESTARTS)
    shared = train(MODEL, uniform_inputs(len(p), N, p, decay), sampled)
    best = shared.toys.best_of(shared.loss, len(SHARED))
    return Allocation(
        unequal.importance[0],
        _values(forced.toys, unequal, training),
        _values(own.toys, unequal, training),
        dimensionality(best.W_in),
        f"the value of capacity: {own.how}, once with equal importances and once with importance {short(decay)}^i",
    )


def _values(toys: Toys, inputs: Inputs, training: ToyTrainConfig) -> Float64[Tensor, "model n"]:
    by_W = exact_gradient(inputs, training)(toys, 0)[0]
    loss = exact.expected_loss(toys, inputs, exact.weights_of(inputs, "two"))
    values = torch.stack([marginal_value(W, slope) for W, slope in zip(toys.W_in, by_W, strict=True)])
    return (values - values.mean(1, keepdim=True)) / loss[:, None]
