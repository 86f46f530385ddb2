"""How many features fire, how strongly, and which never do: `l0`, `l1`, `alive`, and frequencies.

l0 = sum over features of frequency      pruning features takes exactly their frequencies off
"""

from typing import ClassVar

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from monosema.dictionaries.codes import SparseCodes
from monosema.evaluation.batch import ScoreBatch
from monosema.evaluation.documents import Exact, Terms
from monosema.evaluation.metric import Better, MeanMetric, Metric


class L0(MeanMetric):
    """Mean over tokens of the number of features that fire (value not 0).

    Unit: features a token. Range [0, n_features]. Lower is sparser; better only at equal error.
    """

    formula: ClassVar[str] = "mean over tokens of the number of features with f != 0"
    unit: ClassVar[str] = "features per token"
    better: ClassVar[Better] = "lower"

    def each(self, batch: ScoreBatch) -> tuple[Int64[Tensor, "token"], Float[Tensor, "token"]]:
        return batch.documents, batch.codes.l0().double()


class L1(MeanMetric):
    """Mean over tokens of sum_i |f_i| |W_dec_i|: the lengths of what the features add, summed.

    Weighted with the decoder's row norms (Conerly et al. 2024, "Update on how we train SAEs"), so
    that scaling a feature down and its decoder row up changes nothing; equal to the plain sum of
    the codes when the rows have norm 1. Unit: that of the activation. Range [0, inf). Lower is
    better only at equal error.
    """

    formula: ClassVar[str] = "mean over tokens of sum_i |f_i| |W_dec_i|"
    unit: ClassVar[str] = "activation"
    better: ClassVar[Better] = "lower"

    def each(self, batch: ScoreBatch) -> tuple[Int64[Tensor, "token"], Float[Tensor, "token"]]:
        codes, norms = batch.codes, batch.decoder.double().norm(dim=1)
        lengths = codes.values.double().abs() * norms[codes.indices]
        return batch.documents, norms.new_zeros(len(batch.documents)).index_add_(0, codes.rows(), lengths)


class Alive(Metric):
    """Share of the features that fire at least once in the scored tokens.

    Unit: fraction of n_features (pruned ones count as not alive). Range [0, 1], higher is better.
    It grows with the number of tokens: compare at equal `max_tokens`. It is a statement about
    precisely these tokens and has no interval: a resample repeats documents, so it sees fewer
    different ones, and its share lies below the value it should surround.
    """

    formula: ClassVar[str] = "share of features with f != 0 on at least one scored token"
    unit: ClassVar[str] = "fraction of features"
    better: ClassVar[Better] = "higher"

    def __init__(self) -> None:
        self.frequencies = Frequencies()

    def update(self, batch: ScoreBatch) -> None:
        self.frequencies.update(batch)

    def result(self) -> Terms | Exact:
        counts = self.frequencies.counts
        return Exact(float((counts > 0).double().mean()), len(counts), "features")


class Frequencies:
    """Counts, for each feature, the scored tokens on which it fires."""

    def __init__(self) -> None:
        self.n_tokens = 0
        self.counts: Int64[Tensor, "n_features"] = torch.zeros(0, dtype=torch.int64)

    def update(self, batch: ScoreBatch) -> None:
        """Take in the scored tokens of `batch`."""
        self.add(batch.codes, len(batch.codes))

    def add(self, codes: SparseCodes, n_tokens: int) -> None:
        """Take in the entries of `codes`, which stand for `n_tokens` tokens."""
        counts = codes.counts().cpu()
        self.counts = counts if len(self.counts) == 0 else self.counts + counts
        self.n_tokens += n_tokens

    def rates(self) -> Float64[Tensor, "n_features"]:
        """Each feature's firing rate: the fraction of scored tokens on which it fires, in [0, 1]."""
        return self.counts.double() / self.n_tokens

    def histogram(self, edges: tuple[float, ...]) -> tuple[tuple[int, ...], int]:
        """How many features have a log10 rate in [edges[i], edges[i + 1]), and how many never fire.

        Rates below the first edge are counted in the first bin, rates from the last edge in the last.
        """
        rates = self.rates()
        inner = torch.tensor(edges[1:-1], dtype=torch.float64)
        bins = torch.bucketize(rates[rates > 0].log10(), inner, right=True)
        return tuple(torch.bincount(bins, minlength=len(edges) - 1).tolist()), int((rates == 0).sum())
