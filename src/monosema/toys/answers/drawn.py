"""Tensors as the plain values that panels hold."""

from collections.abc import Sequence

import torch
from torch import Tensor

from monosema.core.exhibits import ArrowFrame, Line, Role
from monosema.toys.training import ToyRun


def numbers(values: Tensor | Sequence[float]) -> tuple[float, ...]:
    """As floats."""
    return tuple(float(value) for value in values)


def band(name: str, x: Tensor | Sequence[float], runs: Tensor, role: Role = "measured") -> Line:
    """The mean of `runs` [run, x], with a band from the lowest run to the highest."""
    return Line(name, numbers(x), numbers(runs.mean(0)), numbers(runs.amin(0)), numbers(runs.amax(0)), role)


def directions(run: ToyRun, instance: int, importance: Tensor) -> tuple[ArrowFrame, ...]:
    """The features' directions of one model at every snapshot."""
    weights = numbers(importance / importance.max())
    return tuple(
        ArrowFrame(f"step {step:,}", tuple(numbers(column) for column in toys.W_in[instance].T), weights)
        for step, toys in run.snapshots
    )


def densities_between(n: int, sparsest: float = 0.02) -> Tensor:
    """n densities from 1 down to `sparsest`, evenly in the logarithm."""
    return sparsest ** torch.linspace(0, 1, n, dtype=torch.float64)
