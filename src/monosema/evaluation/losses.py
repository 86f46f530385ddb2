"""What the dictionary does to the model's predictions: losses, loss recovered, KL.

    loss_zero   ------------------------------------  recovered 0
    loss_spliced        ....the model reads the reconstruction....
    loss_model  ------------------------------------  recovered 1

All losses are cross-entropies of the next token in nats, over the same predictions: a usable token
foretold from the usable token before it in the same document. Every usable position of the write
sites is replaced, also in front of the prediction; BOS and padding stay as the model made them.
"""

from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.evaluation.batch import ScoreBatch
from monosema.evaluation.documents import DocumentSums, Exact, Terms
from monosema.evaluation.metric import Better, MeanMetric, Metric, predictions_of

Each = tuple[Int64[Tensor, "prediction"], Float[Tensor, "prediction"]]


class LossModel(MeanMetric):
    """Mean next-token loss of the model as it is. Nats per token, [0, inf), lower is better."""

    formula: ClassVar[str] = "mean over predictions of -log p_model(next token)"
    unit: ClassVar[str] = "nats per token"
    better: ClassVar[Better] = "lower"
    needs_model: ClassVar[bool] = True

    def each(self, batch: ScoreBatch) -> Each:
        predictions = predictions_of(batch)
        return predictions.documents, predictions.model


class LossSpliced(MeanMetric):
    """Mean next-token loss with the reconstruction in place of the activations that the dictionary
    writes. Nats per token, [0, inf), lower is better."""

    formula: ClassVar[str] = "mean over predictions of -log p_spliced(next token)"
    unit: ClassVar[str] = "nats per token"
    better: ClassVar[Better] = "lower"
    needs_model: ClassVar[bool] = True

    def each(self, batch: ScoreBatch) -> Each:
        predictions = predictions_of(batch)
        return predictions.documents, predictions.spliced


class LossZero(MeanMetric):
    """Mean next-token loss with zero in place of the activations that the dictionary writes.

    A property of the model and the sites, not of the dictionary. Nats per token, [0, inf).
    """

    formula: ClassVar[str] = "mean over predictions of -log p_zero(next token)"
    unit: ClassVar[str] = "nats per token"
    better: ClassVar[Better] = "neither"
    needs_model: ClassVar[bool] = True

    def each(self, batch: ScoreBatch) -> Each:
        predictions = predictions_of(batch)
        return predictions.documents, predictions.zero


class LossMean(MeanMetric):
    """Mean next-token loss with the mean activation in place of what the dictionary writes.

    The mean is over the scored tokens themselves, found in a pass of its own: no training statistic
    is needed, and the dictionary is compared with the best constant on these very tokens. A
    property of the model and the sites. Nats per token, [0, inf).
    """

    formula: ClassVar[str] = "mean over predictions of -log p_mean(next token)"
    unit: ClassVar[str] = "nats per token"
    better: ClassVar[Better] = "neither"
    needs_model: ClassVar[bool] = True

    def each(self, batch: ScoreBatch) -> Each:
        predictions = predictions_of(batch)
        return predictions.documents, predictions.mean


class Kl(MeanMetric):
    """Mean over predictions of KL(model || spliced), the divergence of the spliced model's
    next-token distribution from the model's own: sum_v p_model(v) log(p_model(v) / p_spliced(v)).

    Nats per token, [0, inf), lower is better. Unlike the loss it also sees changes that happen to
    cost nothing on the token that came.
    """

    formula: ClassVar[str] = "mean over predictions of sum_v p_model(v) log(p_model(v) / p_spliced(v))"
    unit: ClassVar[str] = "nats per token"
    better: ClassVar[Better] = "lower"
    needs_model: ClassVar[bool] = True

    def each(self, batch: ScoreBatch) -> Each:
        predictions = predictions_of(batch)
        return predictions.documents, predictions.kl


def recovered_of_sums(sums: Float[Tensor, "*resample 3"]) -> Float[Tensor, "*resample"]:
    """(ablated - spliced) / (ablated - model) of summed losses; the counts are equal and cancel.

    Not a number unless the ablation costs something: there is nothing to recover, and a ratio of two
    gains would read as a success. It happens on models that have learnt nothing, such as a control.
    """
    model, spliced, ablated = sums.unbind(-1)
    gap = ablated - model
    return (ablated - spliced) / gap.where(gap > 0, torch.nan)


class LossRecoveredZero(Metric):
    """The part of the damage of zero ablation that the dictionary undoes:
    (loss_zero - loss_spliced) / (loss_zero - loss_model), a ratio of sums over all predictions.

    Unit: fraction. 1 is the model's own loss (above 1: the spliced model predicts better), 0 is no
    better than zero, below 0 is worse. Higher is better. In the residual stream zero is a very
    weak rival (Gao et al. 2024, section 4.1): read it beside `loss_recovered_mean` and the loss. Not
    a number where zero ablation costs nothing, as it may on a randomised model.
    """

    formula: ClassVar[str] = "(loss_zero - loss_spliced) / (loss_zero - loss_model)"
    unit: ClassVar[str] = "fraction of the loss"
    better: ClassVar[Better] = "higher"
    needs_model: ClassVar[bool] = True

    def __init__(self) -> None:
        self.sums = DocumentSums(3)

    def update(self, batch: ScoreBatch) -> None:
        predictions = predictions_of(batch)
        self.sums.add(predictions.documents, predictions.model, predictions.spliced, predictions.zero)

    def result(self) -> Terms | Exact:
        return self.sums.terms(recovered_of_sums)


class LossRecoveredMean(Metric):
    """The part of the damage of mean ablation that the dictionary undoes:
    (loss_mean - loss_spliced) / (loss_mean - loss_model), a ratio of sums over all predictions.

    Unit: fraction. 1 is the model's own loss, 0 is no better than the best constant, below 0 is
    worse. Higher is better. Stricter than `loss_recovered_zero` wherever the mean is far from zero.
    Not a number where mean ablation costs nothing, as it may on a randomised model.
    """

    formula: ClassVar[str] = "(loss_mean - loss_spliced) / (loss_mean - loss_model)"
    unit: ClassVar[str] = "fraction of the loss"
    better: ClassVar[Better] = "higher"
    needs_model: ClassVar[bool] = True

    def __init__(self) -> None:
        self.sums = DocumentSums(3)

    def update(self, batch: ScoreBatch) -> None:
        predictions = predictions_of(batch)
        self.sums.add(predictions.documents, predictions.model, predictions.spliced, predictions.mean)

    def result(self) -> Terms | Exact:
        return self.sums.terms(recovered_of_sums)
