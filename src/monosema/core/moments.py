"""Mean and variance of a stream of vectors, in float64, in parts that merge.

    M2 = sum_i (x_i - mean)^2     per coordinate, by the update of Chan, Golub and LeVeque (1983)

The result does not depend on how the stream was cut into batches, to rounding, and does not lose
digits when the mean is large against the deviation (the sum of squares does).
"""

import torch
from jaxtyping import Float64, Num
from torch import Tensor


class Moments:
    """Running moments of vectors of width `d`: `update` with batches, `merge` with another's."""

    def __init__(self, d: int) -> None:
        self.n = 0
        self.mean: Float64[Tensor, "d"] = torch.zeros(d, dtype=torch.float64)
        self.m2: Float64[Tensor, "d"] = torch.zeros(d, dtype=torch.float64)

    def update(self, batch: Num[Tensor, "batch d"]) -> None:
        """Take in the rows of `batch`; an empty one changes nothing."""
        if len(batch) == 0:
            return
        assert batch.shape[1] == len(self.mean), (tuple(batch.shape), len(self.mean))
        rows = batch.detach().to("cpu", torch.float64)
        other = Moments(rows.shape[1])
        other.n, other.mean = len(rows), rows.mean(0)
        other.m2 = (rows - other.mean).square_().sum(0)
        self.merge(other)

    def merge(self, other: "Moments") -> None:
        """Take in everything `other` has seen."""
        if other.n == 0:
            return
        n = self.n + other.n
        delta = other.mean - self.mean
        self.mean = self.mean + delta * (other.n / n)
        self.m2 = self.m2 + other.m2 + delta.square() * (self.n * other.n / n)
        self.n = n

    @property
    def variance(self) -> Float64[Tensor, "d"]:
        """Population variance of each coordinate (divided by n, not n - 1); zero before any row."""
        return self.m2 / max(self.n, 1)

    @property
    def total_variance(self) -> float:
        """Mean squared distance of a row to the mean: the sum of the coordinates' variances."""
        return float(self.variance.sum())
