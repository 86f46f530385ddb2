"""Memorisation and double descent (Henighan et al. 2023, "Superposition, Memorization, and Double Descent").

A fixed set of T rows of unit norm, and no others, for every step. With few rows a model gives a direction to each row;
with many it gives one to each feature; in between it can do neither, and is worst on rows it has not seen.

    loss of a row    sum over features of (x_i - y_i)^2: 1 for a model that answers 0
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from monosema.core.config import require
from monosema.toys.capacity import represented
from monosema.toys.inputs import uniform_inputs
from monosema.toys.settings import MemorisationConfig
from monosema.toys.superposition import ToyConfig, Toys, initial
from monosema.toys.training import CHECK_STEP, ToyTrainConfig, descend, gradient_on

FRESH_ROWS = 4096


@dataclass(frozen=True)
class Memorised:
    """Of every size and restart. seen, fresh: mean loss of the rows trained on, and of others. rows, features: how many
    rows, and how many features, have a hidden vector at least half as long as the longest."""

    sizes: tuple[int, ...]
    seen: Float64[Tensor, "size restart"]
    fresh: Float64[Tensor, "size restart"]
    rows: Float64[Tensor, "size restart"]
    features: Float64[Tensor, "size restart"]


def unit_rows(config: MemorisationConfig, rows: int, step: int) -> Float[Tensor, "restart n row"]:
    """Sparse rows of norm 1, none of them empty."""
    inputs = uniform_inputs(config.restarts, config.n, config.density)
    filled = 1 - (1 - config.density) ** config.n
    drawn = inputs.draw(int(rows / filled * 1.5) + 64, config.seed, step)
    kept = torch.empty(config.restarts, config.n, rows)
    for i, x in enumerate(drawn):
        there = x[:, (x > 0).any(0)]
        require(there.shape[1] >= rows, f"density {config.density} leaves almost every row empty: raise it")
        kept[i] = there[:, :rows]
    return torch.nn.functional.normalize(kept, dim=1)


def memorise(config: MemorisationConfig) -> Memorised:
    """Train models of every size to the end; sizes run one after another, restarts at once."""
    fresh = unit_rows(config, FRESH_ROWS, CHECK_STEP)
    found = [_of_size(config, size, fresh) for size in config.sizes]
    return Memorised(config.sizes, *(torch.stack(parts) for parts in zip(*found, strict=True)))


def _of_size(config: MemorisationConfig, size: int, fresh: Tensor) -> tuple[Tensor, ...]:
    x = unit_rows(config, size, size)
    toys = initial(ToyConfig(n=config.n, m=config.m), config.restarts, config.seed)
    weight = torch.full((config.restarts, 1, 1), 2 / size)
    training = ToyTrainConfig(steps=config.steps, lr=config.lr, last_lr=0.0, weight_decay=config.weight_decay)
    descend(toys, lambda model, _: gradient_on(model, x, weight), training)
    rows, features = (represented(vectors).double().sum(1) for vectors in (toys.hidden(x), toys.W_in))
    return _loss(toys, x), _loss(toys, fresh), rows, features


def _loss(toys: Toys, x: Tensor) -> Float64[Tensor, "restart"]:
    return (toys(x) - x).double().square().sum(1).mean(1)
