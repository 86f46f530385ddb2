"""How far the reconstruction is from its target: `mse`, `variance_explained`, `cosine`.

For x a token's target, y its reconstruction, d coordinates:

    mse                  mean over tokens and coordinates of (x - y)^2
    variance_explained   1 - sum |x - y|^2 / sum |x - mean(x)|^2
    cosine               mean over tokens of x.y / |x||y|
"""

from typing import ClassVar

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from monosema.evaluation.batch import ScoreBatch
from monosema.evaluation.documents import DocumentMoments, DocumentSums, Exact, Terms
from monosema.evaluation.metric import Better, MeanMetric, Metric


def squared_error(batch: ScoreBatch) -> Float64[Tensor, "token"]:
    """|x - y|^2 of each token, summed over coordinates. The residual is not centred: a constant
    offset is an error."""
    return (batch.target.double() - batch.reconstruction.double()).square().sum(1)


class Mse(MeanMetric):
    """Mean over tokens AND coordinates of the squared error: sum |x - y|^2 / (n_tokens * d_out).

    Unit: squared units of the activation, a coordinate. Range [0, inf), lower is better. Not
    comparable between sites: the scale of the activations is in it. Other libraries leave the sum
    over coordinates in (d_out times ours).
    """

    formula: ClassVar[str] = "sum |x - y|^2 / (n_tokens * d_out)"
    unit: ClassVar[str] = "squared activation per coordinate"
    better: ClassVar[Better] = "lower"

    def each(self, batch: ScoreBatch) -> tuple[Int64[Tensor, "token"], Float[Tensor, "token"]]:
        return batch.documents, squared_error(batch) / batch.target.shape[1]


class Cosine(MeanMetric):
    """Mean over tokens of the cosine of the angle between target and reconstruction.

    Unit: none. Range [-1, 1], higher is better. A token whose target or reconstruction is zero
    counts as 0.
    """

    formula: ClassVar[str] = "mean over tokens of x.y / (|x| |y|)"
    unit: ClassVar[str] = "cosine in [-1, 1]"
    better: ClassVar[Better] = "higher"

    def each(self, batch: ScoreBatch) -> tuple[Int64[Tensor, "token"], Float[Tensor, "token"]]:
        x, y = batch.target.double(), batch.reconstruction.double()
        norms = x.norm(dim=1) * y.norm(dim=1)
        return batch.documents, torch.where(norms > 0, (x * y).sum(1) / norms.where(norms > 0, 1.0), 0.0)


class VarianceExplained(Metric):
    """One minus the squared error over the total variance, both summed over every scored token and
    coordinate: 1 - sum |x - y|^2 / sum |x - mean(x)|^2 (the coefficient of determination, R^2, of a
    vector-valued fit; 1 - FVU).

    The mean is the mean of ALL scored tokens, not zero, not a batch's; sums are divided once, at
    the end. Unit: fraction. Range (-inf, 1], higher is better: 1 is exact, 0 is no better than
    always writing the mean, below 0 is worse than that. Not a number when the targets do not vary.

    A resample of the documents has a mean of its own, and its total variance is about that mean:
    document i brings its count n_i, its sum of squares about the global mean c, and the vector
    n_i (mean_i - c), so that sum |x - c|^2 - |sum (x - c)|^2 / n is exact on every resample, and
    loses no digits because c is where the data are. The price is d_out float64 a document.
    """

    formula: ClassVar[str] = "1 - sum |x - y|^2 / sum |x - mean(x)|^2"
    unit: ClassVar[str] = "fraction, at most 1"
    better: ClassVar[Better] = "higher"

    def __init__(self) -> None:
        self.errors = DocumentSums(1)
        self.moments = DocumentMoments()

    def update(self, batch: ScoreBatch) -> None:
        self.take(batch.documents, batch.target, batch.reconstruction)

    def take(
        self, documents: Int64[Tensor, "token"], target: Float[Tensor, "token d"], made: Float[Tensor, "token d"]
    ) -> None:
        """Take in tokens whose `target` was rebuilt as `made`, whatever rebuilt it."""
        self.errors.add(documents, (target.double() - made.double()).square().sum(1))
        self.moments.add(documents, target)

    def result(self) -> Terms | Exact:
        n, mean, m2 = self.moments.n, self.moments.mean, self.moments.m2
        offsets = mean - (n @ mean) / n.sum()
        about_centre = m2 + n * offsets.square().sum(1)
        sums = torch.cat([self.errors.sums, torch.stack([n, about_centre], 1), n.unsqueeze(1) * offsets], 1)
        documents, order = self.moments.rows.ascending()
        return Terms(documents, sums[order], variance_explained_of_sums)


def variance_explained_of_sums(sums: Float[Tensor, "*resample term"]) -> Float[Tensor, "*resample"]:
    """From (squared error, n, sum |x - c|^2, sum (x - c)), whatever the fixed centre c."""
    error, n, about_centre = sums[..., 0], sums[..., 1], sums[..., 2]
    total = about_centre - sums[..., 3:].square().sum(-1) / n
    return 1 - error / total.where(total > 0, torch.nan)
