"""Which features lose their direction first as they become denser, and how importance decides it.

    lasting_i     share of the densities (evenly in the logarithm) at which feature i is represented
    order         Spearman's correlation of importance and lasting, over the features of one seed

The least important are expected to go first, so the order is near 1. The control is the same with equal importances:
features are then compared by their number alone, which decides nothing.
"""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float64
from scipy.stats import rankdata
from torch import Tensor

from monosema.toys.capacity import dimensionality, represented
from monosema.toys.inputs import uniform_inputs
from monosema.toys.settings import CollapseConfig
from monosema.toys.superposition import ToyConfig
from monosema.toys.training import ToyTrainConfig, train


def density_grid(config: CollapseConfig) -> Float64[Tensor, "density"]:
    """The densities, rising."""
    low, high = math.log(config.lowest), math.log(config.highest)
    return torch.linspace(low, high, config.densities, dtype=torch.float64).exp().clamp(max=1)


@dataclass(frozen=True)
class Collapse:
    """kept, D: whether each feature is represented, and its dimensionality. loss: of each feature. how: what ran."""

    densities: Float64[Tensor, "density"]
    importance: Float64[Tensor, "n"]
    kept: Bool[Tensor, "seed density n"]
    D: Float64[Tensor, "seed density n"]
    loss: Float64[Tensor, "seed density n"]
    how: str

    @property
    def lasting(self) -> Float64[Tensor, "seed n"]:
        return self.kept.double().mean(1)

    @property
    def first(self) -> list[int]:
        """The feature of each seed that lasts least; of equal ones the most important, against the rule."""
        return self.lasting.argmin(1).tolist()


def collapse_features(config: CollapseConfig) -> Collapse:
    """Train every density and seed in one stack."""
    p = density_grid(config)
    every = p.repeat(config.seeds)
    inputs = uniform_inputs(len(every), config.n, every, config.decay)
    training = ToyTrainConfig(steps=config.steps, lr=config.lr, last_lr=0.0, seed=config.seed)
    run = train(ToyConfig(n=config.n, m=config.m), inputs, training)
    shape = (config.seeds, config.densities, config.n)
    W = run.toys.W_in
    return Collapse(
        p,
        inputs.importance[0],
        represented(W).view(shape),
        dimensionality(W).view(shape),
        run.losses.view(shape),
        run.how,
    )


def without_importance(config: CollapseConfig) -> CollapseConfig:
    """The control's settings: all features equally important."""
    return replace(config, decay=1.0)


def rank_correlation(a: Float64[Tensor, "n"], b: Float64[Tensor, "n"]) -> float:
    """Spearman's: the correlation of ranks, equal values sharing theirs; 0 where all of one side are equal."""
    ranks = torch.stack([torch.from_numpy(rankdata(side.numpy())) for side in (a, b)])
    centred = ranks - ranks.mean(1, keepdim=True)
    sizes = centred.norm(dim=1).prod()
    return float(centred.prod(0).sum() / sizes) if sizes > 0 else 0.0


def order(found: Collapse) -> list[float]:
    """The correlation of each seed between the features' order (first: most important) and how long they last."""
    place = -torch.arange(len(found.importance), dtype=torch.float64)
    return [rank_correlation(place, lasting) for lasting in found.lasting]
