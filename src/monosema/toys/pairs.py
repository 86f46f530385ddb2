"""Where features lie that occur together, or never do: models whose features come in pairs (Elhage et al. 2022).

correlated        both of a pair are on, or neither
anticorrelated    one is, or the other, or neither
independent       the control: as often, each by itself

within    mean cosine of the two features of a pair, over pairs of which both are represented
across    the same of features of different pairs
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from monosema.toys.capacity import represented
from monosema.toys.geometry import cosines
from monosema.toys.inputs import Inputs
from monosema.toys.settings import CorrelatedConfig
from monosema.toys.superposition import ToyConfig
from monosema.toys.training import ToyTrainConfig, train

Kind = Literal["correlated", "anticorrelated", "independent"]
KINDS: tuple[Kind, ...] = ("correlated", "anticorrelated", "independent")


@dataclass(frozen=True)
class Paired:
    """The best models of one kind, for every number of dimensions. within, across: NaN where no such two features are
    represented. loss: over the loss of a model that answers 0. how: what ran, for each number of dimensions."""

    kind: Kind
    within: Float64[Tensor, "dimensions seed density"]
    across: Float64[Tensor, "dimensions seed density"]
    loss: Float64[Tensor, "dimensions seed density"]
    how: str


def density_grid(config: CorrelatedConfig) -> Float64[Tensor, "density"]:
    """The densities, rising."""
    low, high = math.log(config.lowest), math.log(config.highest)
    return torch.linspace(low, high, config.densities, dtype=torch.float64).exp().clamp(max=config.highest)


def inputs_of(kind: Kind, n: int, probability: Float64[Tensor, "instance"]) -> Inputs:
    """n equally important features whose pairs are all of this kind, for an instance of each probability."""
    n_pairs = {"correlated": (n // 2, 0), "anticorrelated": (0, n // 2), "independent": (0, 0)}[kind]
    p = probability[:, None].expand(-1, n).contiguous()
    return Inputs(p, torch.ones_like(p), *n_pairs)


def train_pairs(config: CorrelatedConfig, kind: Kind) -> Paired:
    """Train every density, seed and restart of each number of dimensions in one stack."""
    p = density_grid(config).repeat(config.seeds).repeat_interleave(config.restarts)
    inputs, shape = inputs_of(kind, config.n, p), (config.seeds, config.densities)
    training = ToyTrainConfig(steps=config.steps, batch=config.batch, lr=config.lr, last_lr=0.0, seed=config.seed)
    of_zero = config.n * density_grid(config) / 3
    within, across, losses, how = [], [], [], ""
    for m in config.dimensions:
        run = train(ToyConfig(n=config.n, m=m), inputs, training)
        best, how = run.toys.best_of(run.loss, math.prod(shape)), run.how
        measured = torch.stack([torch.stack(pair_cosines(W)) for W in best.W_in])
        within.append(measured[:, 0].view(shape))
        across.append(measured[:, 1].view(shape))
        losses.append(run.loss.view(*shape, -1).amin(-1) / of_zero)
    return Paired(kind, torch.stack(within), torch.stack(across), torch.stack(losses), how)


def pair_cosines(W: Float[Tensor, "m n"]) -> tuple[Float64[Tensor, ""], Float64[Tensor, ""]]:
    """The mean cosine within pairs (0, 1), (2, 3), ... and across them, of represented features."""
    n, there = W.shape[1], represented(W)
    pair: Tensor = torch.arange(n) // 2
    both: Bool[Tensor, "n n"] = (there[:, None] & there[None]).triu(1)
    same, cosine = pair[:, None] == pair[None], cosines(W)
    return cosine[both & same].mean(), cosine[both & ~same].mean()
