"""Targets with known components: A = sum_i s_i u_i (x) v_i (x) ..., directions orthonormal in every mode."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from monosema.core.config import require


@dataclass(frozen=True)
class Target:
    """A matrix (two modes) or a tensor (three) with what it is made of.

    array       [*sizes]; or [run, *sizes], when each run has values of its own
    values      the components' sizes s, largest first
    directions  for each mode [component, size]: orthonormal rows
    """

    array: Float64[Tensor, "*sizes"]
    values: tuple[float, ...]
    directions: tuple[Float64[Tensor, "component size"], ...]


def target(values: Sequence[float], size: int, order: int = 2, seed: int = 0) -> Target:
    """A target of `order` modes, each of `size`, with random directions from numpy's `default_rng(seed)`.

    Raises ConfigError for more components than `size`, or values that do not fall.
    """
    require(0 < len(values) <= size, f"{len(values)} components do not fit into a size of {size}")
    require(list(values) == sorted(values, reverse=True), f"values {list(values)} must fall from the largest")
    rng = np.random.default_rng(seed)
    directions = tuple(
        torch.from_numpy(np.linalg.qr(rng.standard_normal((size, len(values))))[0].T.copy()) for _ in range(order)
    )
    letters = "abc"[:order]
    spelt = ",".join(["i", *(f"i{letter}" for letter in letters)])
    array = torch.einsum(f"{spelt}->{letters}", torch.tensor(values, dtype=torch.float64), *directions)
    return Target(array, tuple(map(float, values)), directions)


def for_each_run(of: Target, values: Float64[Tensor, "run component"]) -> Target:
    """The same directions with values of its own for each run."""
    letters = "abc"[: len(of.directions)]
    spelt = ",".join(["ki", *(f"i{letter}" for letter in letters)])
    return replace(of, array=torch.einsum(f"{spelt}->k{letters}", values, *of.directions))


def strengths(product: Float64[Tensor, "run *sizes"], of: Target) -> Float64[Tensor, "run component"]:
    """How much of each component of the target a product holds: its value s when all of it is learnt."""
    letters = "abc"[: len(of.directions)]
    spelt = ",".join([f"k{letters}", *(f"i{letter}" for letter in letters)])
    return torch.einsum(f"{spelt}->ki", product, *of.directions)
