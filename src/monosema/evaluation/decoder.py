"""Decoder geometry: how close each feature's direction comes to another's.

    c_i = max over j != i of  W_dec_i . W_dec_j / (|W_dec_i| |W_dec_j|)

A property of the weights: no tokens, no sampling error. Duplicated features have c near 1; n random
directions in d dimensions have c near sqrt(2 ln n / d), which is what the control shows.
"""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.evaluation.batch import ScoreBatch
from monosema.evaluation.documents import Exact, Terms
from monosema.evaluation.metric import Better, Metric

ROWS_AT_ONCE = 1024


def nearest_cosines(decoder: Float[Tensor, "n_features d_out"]) -> Float[Tensor, "used"]:
    """Largest cosine of each row to any other; rows of norm 0 take no part.

    Costs used^2 * d_out multiplications and ROWS_AT_ONCE * used numbers of memory.
    """
    rows = decoder[decoder.norm(dim=1) > 0].float()
    rows = rows / rows.norm(dim=1, keepdim=True)
    nearest = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        cosines = rows[start : start + ROWS_AT_ONCE] @ rows.T
        cosines.diagonal(start).fill_(-torch.inf)
        nearest.append(cosines.amax(1))
    return torch.cat(nearest) if len(rows) > 1 else rows.new_zeros(0)


class _Geometry(Metric):
    """Keeps the decoder of the first batch; every batch of a dictionary has the same."""

    unit: ClassVar[str] = "cosine in [-1, 1]"
    better: ClassVar[Better] = "neither"

    def __init__(self) -> None:
        self.decoder: Tensor | None = None

    def update(self, batch: ScoreBatch) -> None:
        self.decoder = batch.decoder

    def nearest(self) -> Tensor:
        assert self.decoder is not None, "decoder geometry without a batch"
        return nearest_cosines(self.decoder).double().cpu()


class DecoderCosineMean(_Geometry):
    """Mean over features of the largest cosine to another feature's decoder row.

    Range [-1, 1]. Neither way is better by itself: high means split or duplicated features, low
    can mean random directions. Not a number for fewer than two features.
    """

    formula: ClassVar[str] = "mean over features of max_j cos(W_dec_i, W_dec_j)"

    def result(self) -> Terms | Exact:
        nearest = self.nearest()
        return Exact(float(nearest.mean()), len(nearest), "features")


class DecoderCosineMedian(_Geometry):
    """Median over features of the largest cosine to another feature's decoder row; range [-1, 1],
    neither way is better by itself."""

    formula: ClassVar[str] = "median over features of max_j cos(W_dec_i, W_dec_j)"

    def result(self) -> Terms | Exact:
        nearest = self.nearest()
        return Exact(float(nearest.quantile(0.5)) if len(nearest) else torch.nan, len(nearest), "features")


class DecoderCosineP95(_Geometry):
    """95th percentile over features of the largest cosine to another feature's decoder row: near 1
    when at least a twentieth of the features have a double. Range [-1, 1], neither is better."""

    formula: ClassVar[str] = "95th percentile over features of max_j cos(W_dec_i, W_dec_j)"

    def result(self) -> Terms | Exact:
        nearest = self.nearest()
        return Exact(float(nearest.quantile(0.95)) if len(nearest) else torch.nan, len(nearest), "features")
