"""Directions drawn evenly from the sphere: what a probe would be that has learnt nothing."""

import torch
from jaxtyping import Float64
from torch import Tensor

from monosema.core.seeding import generator
from monosema.probes.rows import Fitted, Rows
from monosema.probes.settings import RandomConfig


def fit_random(config: RandomConfig, rows: Rows, labels: Tensor, seed: int) -> list[Fitted]:
    """One direction, its threshold at the mean of the training rows."""
    del config, labels
    w = random_units(1, rows.sides.shape[2], seed, rows.sides.device)[0]
    return [Fitted(w, -float(rows.each.mean(0) @ w))]


def random_units(n: int, d: int, seed: int, device: torch.device) -> Float64[Tensor, "n d"]:
    """n unit vectors."""
    drawn = torch.randn(n, d, generator=generator(seed, "random probes"), dtype=torch.float64)
    return (drawn / drawn.norm(dim=1, keepdim=True)).to(device)
