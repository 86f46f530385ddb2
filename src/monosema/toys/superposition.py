"""Toy models of superposition: n sparse features through m < n dimensions and back (Elhage et al. 2022).

    h = W_in x          [m]     ReLU(W_in x) with `neurons`
    y = ReLU(W_out^T h + b)     [n]
    loss = mean over rows, sum over features, of importance_i (target_i - y_i)^2       target: x, or |x|

    W_in, W_out [instance, m, n], column i for feature i; tied: one tensor        b [instance, n]

Elhage et al. sum over features as here; the common teaching code takes their mean. A stack of models is one program:
batches are laid out [instance, n, row], so that every product runs along rows.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.config import require, require_range
from monosema.core.seeding import generator
from monosema.toys.inputs import Inputs


@dataclass(frozen=True)
class ToyConfig:
    """tied: W_out is W_in. neurons: ReLU on the hidden layer (tied for the neuron model, untied to compute).
    absolute: the target is |x|, of features in [-1, 1]; without `neurons` only the output's ReLU is left to tell it."""

    n: int = 5
    m: int = 2
    tied: bool = True
    bias: bool = True
    neurons: bool = False
    absolute: bool = False

    def __post_init__(self) -> None:
        require_range("n", self.n, 1)
        require_range("m", self.m, 1)
        require(
            not (self.absolute and self.tied),
            "|x| cannot be told with tied weights: give tied=false, and neurons=true for a hidden ReLU to compute it",
        )


@final
@dataclass(frozen=True)
class Toys:
    """A stack of toy models of one config."""

    config: ToyConfig
    W_in: Float[Tensor, "instance m n"]
    W_out: Float[Tensor, "instance m n"]
    b: Float[Tensor, "instance n"]

    def __len__(self) -> int:
        return len(self.W_in)

    def hidden(self, x: Float[Tensor, "instance n row"]) -> Float[Tensor, "instance m row"]:
        h = self.W_in @ x
        return h.relu() if self.config.neurons else h

    def __call__(self, x: Float[Tensor, "instance n row"]) -> Float[Tensor, "instance n row"]:
        """What the models answer."""
        return torch.baddbmm(self.b[..., None], self.W_out.mT, self.hidden(x)).relu()

    def target(self, x: Float[Tensor, "instance n row"]) -> Float[Tensor, "instance n row"]:
        return x.abs() if self.config.absolute else x

    def losses(self, x: Float[Tensor, "instance n row"], inputs: Inputs) -> Float[Tensor, "instance n"]:
        """The loss of each feature on these rows; their sum is the loss of a model."""
        return inputs.importance.to(x.dtype) * (self(x) - self.target(x)).square().mean(-1)

    def best_of(self, losses: Float[Tensor, "instance"], groups: int) -> "Toys":
        """Of each of `groups` equal runs of instances the one of least loss."""
        rows = losses.view(groups, -1)
        best = rows.argmin(1) + torch.arange(groups) * rows.shape[1]
        W_in = self.W_in[best]
        return Toys(self.config, W_in, W_in if self.config.tied else self.W_out[best], self.b[best])


def initial(config: ToyConfig, n_instances: int, seed: int, dtype: torch.dtype = torch.float32) -> Toys:
    """Xavier normal weights and zero biases; instance i is the same whatever the number of others."""
    std = (2 / (config.m + config.n)) ** 0.5
    matrices = 1 if config.tied else 2
    drawn = [
        std * torch.randn(matrices, config.m, config.n, generator=generator(seed, "toy", i), dtype=torch.float64)
        for i in range(n_instances)
    ]
    W = torch.stack(drawn, 1).to(dtype)
    W_in = W[0]
    return Toys(config, W_in, W_in if config.tied else W[1], torch.zeros(n_instances, config.n, dtype=dtype))
