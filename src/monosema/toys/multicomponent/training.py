"""Training of many products at once: gradient flow by small Euler steps, SGD on sampled entries, Adam.

    factors --product--> Z --gradient--> dL/dZ --pullback--> by factor --optimiser--> factors

All runs go side by side in one tensor program, each with its own learning rate.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from monosema.core.config import require, require_range
from monosema.toys.multicomponent.losses import Loss, gradient, losses
from monosema.toys.multicomponent.products import Factors, product, pullback
from monosema.toys.multicomponent.targets import Target, strengths

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
"""Adam's, as Kingma & Ba (2015) give them."""


@dataclass(frozen=True)
class OptimiserConfig:
    """How the factors move.

    name    flow: Euler steps down the gradient; sgd: the same, of the loss on a random `share` of the target's
            entries (MSE) or rows (KL), drawn anew each step and divided by `share`; adam: Adam, of the whole loss
    lr      step size; for flow it is time per step
    """

    name: Literal["flow", "sgd", "adam"] = "flow"
    lr: float = 0.01
    share: float = 1.0

    def __post_init__(self) -> None:
        require_range("lr", self.lr, 0.0, open_low=True)
        require_range("share", self.share, 0.0, 1.0, open_low=True)
        require(self.share == 1.0 or self.name == "sgd", f"share {self.share} is for sgd, not {self.name}")


@dataclass(frozen=True)
class Trajectory:
    """What was recorded, the start included.

    steps      [record], counted from 0
    losses     [run, record], of the whole target
    strengths  [run, record, component]: how much of each of the target's components was there
    factors    at the end
    """

    steps: tuple[int, ...]
    losses: Float64[Tensor, "run record"]
    strengths: Float64[Tensor, "run record component"]
    factors: Factors


def train(
    factors: Factors,
    target: Target,
    loss: Loss,
    optimiser: OptimiserConfig,
    steps: int,
    *,
    record_every: int = 1,
    rates: Float64[Tensor, " run"] | None = None,
    generator: torch.Generator | None = None,
) -> Trajectory:
    """Train every run for `steps` steps. The same call gives the same numbers.

    rates    a learning rate of its own for each run, in the place of the optimiser's
    """
    C = target.array.reshape(-1, *target.array.shape[-len(target.directions) :])
    lr = torch.full((len(factors[0]),), optimiser.lr, dtype=torch.float64) if rates is None else rates
    move = _Adam(factors) if optimiser.name == "adam" else None
    recorded, found, held = [], [], []
    for step in range(steps + 1):
        Z = product(factors)
        if step % record_every == 0 or step == steps:
            recorded.append(step)
            found.append(losses(loss, Z, C))
            held.append(strengths(Z, target))
        if step == steps:
            break
        by_Z = gradient(loss, Z, C)
        if optimiser.share < 1:
            by_Z = by_Z * _sampled(by_Z, loss, optimiser.share, generator)
        gradients = pullback(factors, by_Z)
        moves = gradients if move is None else move(gradients)
        factors = tuple(x - lr.reshape(-1, *[1] * (x.ndim - 1)) * g for x, g in zip(factors, moves, strict=True))
    return Trajectory(tuple(recorded), torch.stack(found, 1), torch.stack(held, 1), factors)


def _sampled(like: Tensor, loss: Loss, share: float, generator: torch.Generator | None) -> Tensor:
    """1 / share where an entry (a row, for KL) is in the sample, 0 elsewhere."""
    shape = like.shape if loss == "mse" else (*like.shape[:-1], 1)
    return (torch.rand(shape, generator=generator, dtype=torch.float64) < share) / share


class _Adam:
    """Adam's moments; called with gradients it gives what to subtract, per unit of learning rate."""

    def __init__(self, factors: Factors) -> None:
        self.step = 0
        self.first = [torch.zeros_like(x) for x in factors]
        self.second = [torch.zeros_like(x) for x in factors]

    def __call__(self, gradients: Factors) -> Factors:
        self.step += 1
        moves = []
        for m, v, g in zip(self.first, self.second, gradients, strict=True):
            m.mul_(BETA1).add_(g, alpha=1 - BETA1)
            v.mul_(BETA2).addcmul_(g, g, value=1 - BETA2)
            root = (v / (1 - BETA2**self.step)).sqrt()
            moves.append(m / (1 - BETA1**self.step) / (root + EPSILON))
        return tuple(moves)
