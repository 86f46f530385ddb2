"""Training a stack of toy models as one tensor program: on sampled batches, or on the exact expected loss.

    sampled    every instance draws its own batch at each step; gradients are written out, Adam runs over all at once
    exact      no batches: the loss of `exact.expected_loss`, in float64, where it applies

Instances do not touch each other: a model ends the same whatever is trained beside it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from monosema.core.config import require, require_range
from monosema.core.errors import DivergedError
from monosema.core.memory import keep_freed_memory
from monosema.dictionaries.kernels import plain
from monosema.dictionaries.kernels.adam import AdamStep
from monosema.dictionaries.kernels.backends import backend_for
from monosema.toys import exact
from monosema.toys.inputs import Inputs
from monosema.toys.superposition import ToyConfig, Toys, initial

BETAS, EPSILON = (0.9, 0.999), 1e-10
CHECK_STEP = 2**40
"""The step whose draws measure a sampled model's loss: no training reaches it."""


@dataclass(frozen=True)
class ToyTrainConfig:
    """method: sampled batches, or exact losses with one feature on (`exact_one`, the sparse limit) or up to two.
    lr falls by half a cosine to `last_lr` of itself. weight_decay: as AdamW. snapshots: moments kept on the way, the
    first before step 1 and the last at the end, at equal steps in log."""

    steps: int = 5000
    batch: int = 1024
    lr: float = 1e-3
    last_lr: float = 1.0
    weight_decay: float = 0.0
    method: Literal["sampled", "exact_one", "exact_two"] = "sampled"
    snapshots: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch"):
            require_range(name, getattr(self, name), 1)
        require_range("lr", self.lr, 0, 1, open_low=True)
        require_range("last_lr", self.last_lr, 0, 1)
        require_range("weight_decay", self.weight_decay, 0)
        require_range("snapshots", self.snapshots, 2)

    @property
    def actives(self) -> exact.Actives:
        return "one" if self.method == "exact_one" else "two"

    def lr_at(self, step: int) -> float:
        """The learning rate of `step`, counted from 0."""
        turn = (1 + math.cos(math.pi * step / self.steps)) / 2
        return self.lr * (self.last_lr + (1 - self.last_lr) * turn)

    def kept(self) -> list[int]:
        """Steps after which a snapshot is taken."""
        places = torch.logspace(0, math.log10(self.steps + 1), self.snapshots, dtype=torch.float64)
        return sorted({round(float(place)) - 1 for place in places} | {0, self.steps})


@dataclass(frozen=True)
class ToyRun:
    """toys: at the end. losses: of each feature of each, on fresh rows or exact. snapshots: (steps done, models).
    how: what ran, in words."""

    toys: Toys
    losses: Float[Tensor, "instance n"]
    snapshots: tuple[tuple[int, Toys], ...]
    how: str

    @property
    def loss(self) -> Float[Tensor, "instance"]:
        return self.losses.sum(1)


Gradient = Callable[[Toys, int], tuple[Tensor, ...]]
"""Of the loss at a step: by W_in, W_out and b; for a tied model by W and b."""


def train(config: ToyConfig, inputs: Inputs, training: ToyTrainConfig) -> ToyRun:
    """Train a model for every instance of `inputs`. Raises ConfigError where the method does not apply, DivergedError
    when a loss is not finite."""
    require(inputs.n == config.n, f"the inputs have {inputs.n} features, the models {config.n}")
    require(not config.absolute or inputs.signed, "the target |x| needs features in [-1, 1]: give signed=true")
    sampled = training.method == "sampled"
    if not sampled:
        exact.check_exact(config, inputs, training.actives)
    toys = initial(config, len(inputs), training.seed, torch.float32 if sampled else torch.float64)
    gradient = sampled_gradient(inputs, training) if sampled else exact_gradient(inputs, training)
    snapshots = descend(toys, gradient, training)
    losses = measured_losses(toys, inputs, training)
    if not bool(torch.isfinite(losses).all()):
        raise DivergedError(f"a loss is not finite after {training.steps} steps: lower lr, now {training.lr:g}")
    return ToyRun(toys, losses, snapshots, how(inputs, training))


def descend(toys: Toys, gradient: Gradient, training: ToyTrainConfig) -> tuple[tuple[int, Toys], ...]:
    """Adam, in place, on all instances at once; returns the snapshots."""
    keep_freed_memory()
    parameters = [toys.W_in, toys.b] if toys.config.tied else [toys.W_in, toys.W_out, toys.b]
    rows = [parameter.view(len(toys), -1) for parameter in parameters]
    moments = [(torch.zeros_like(row), torch.zeros_like(row)) for row in rows]
    kernel = backend_for(toys.b) if toys.b.dtype is torch.float32 else plain
    kept, snapshots = training.kept(), [(0, _copy(toys))]
    for t in range(training.steps):
        lr = training.lr_at(t)
        step = AdamStep.at(t + 1, lr, *BETAS, EPSILON)
        for row, slope, own in zip(rows, gradient(toys, t), moments, strict=True):
            if training.weight_decay and row is not rows[-1]:
                row.mul_(1 - lr * training.weight_decay)
            kernel.adam(row, slope.reshape(row.shape).contiguous(), own, step, unit=False)
        if not toys.config.bias:
            toys.b.zero_()
        if t + 1 in kept:
            snapshots.append((t + 1, _copy(toys)))
    return tuple(snapshots)


def sampled_gradient(inputs: Inputs, training: ToyTrainConfig) -> Gradient:
    """The gradient on a batch of fresh rows at each step."""
    weight = (2 / training.batch * inputs.importance)[..., None].float()
    return lambda toys, t: gradient_on(toys, inputs.draw(training.batch, training.seed, t), weight)


def gradient_on(
    toys: Toys, x: Float[Tensor, "instance n row"], weight: Float[Tensor, "instance n_or_1 row_or_1"]
) -> tuple[Tensor, ...]:
    """The gradient of sum weight / 2 (target - y)^2 on these rows, written out."""
    ahead = toys.W_in @ x
    h = ahead.relu() if toys.config.neurons else ahead
    pre = torch.baddbmm(toys.b[..., None], toys.W_out.mT, h)
    error = pre.relu().sub_(toys.target(x)).mul_(weight)
    error = torch.ops.aten.threshold_backward(error, pre, 0)
    back = toys.W_out @ error
    if toys.config.neurons:
        back = torch.ops.aten.threshold_backward(back, ahead, 0)
    by_out, by_b = h @ error.mT, error.sum(2)
    if toys.config.tied:
        return by_out.add_(back @ x.mT), by_b
    return back @ x.mT, by_out, by_b


def exact_gradient(inputs: Inputs, training: ToyTrainConfig) -> Gradient:
    """The gradient of the expected loss."""
    weights = exact.weights_of(inputs, training.actives)

    def gradient(toys: Toys, t: int) -> tuple[Tensor, ...]:
        del t
        leaves = [parameter.detach().requires_grad_() for parameter in (toys.W_in, toys.W_out, toys.b)]
        W_out = leaves[0] if toys.config.tied else leaves[1]
        loss = exact.expected_loss(Toys(toys.config, leaves[0], W_out, leaves[2]), inputs, weights)
        loss.sum().backward()
        return tuple(leaf.grad for leaf in leaves if leaf.grad is not None)

    return gradient


def measured_losses(toys: Toys, inputs: Inputs, training: ToyTrainConfig) -> Float64[Tensor, "instance n"]:
    """The loss of each feature: on fresh rows, or exact."""
    if training.method == "sampled":
        rows = max(training.batch, 16_384)
        return toys.losses(inputs.draw(rows, training.seed, CHECK_STEP), inputs).double()
    return exact.losses_by_feature(toys, inputs, exact.weights_of(inputs, training.actives))


def _copy(toys: Toys) -> Toys:
    W_in = toys.W_in.clone()
    return Toys(toys.config, W_in, W_in if toys.config.tied else toys.W_out.clone(), toys.b.clone())


def how(inputs: Inputs, training: ToyTrainConfig) -> str:
    """What runs, in words."""
    if training.method == "sampled":
        data = f"sampled batches of {training.batch:,} rows"
    else:
        data = exact.leaves_out(inputs, training.actives)
    return f"{len(inputs):,} models in one stack, {training.steps:,} steps of Adam on {data}"
