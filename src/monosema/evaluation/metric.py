"""What a metric is: batches in, per-document terms out.

    metric = Mse()
    metric.update(batch)             any number of times
    metric.result().estimate(seed)   the value with its interval over documents

A metric is one final class. Its docstring and its class variables say the formula, the unit, the
range, and which way is better.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from jaxtyping import Float, Int64
from torch import Tensor

from monosema.evaluation.batch import Predictions, ScoreBatch
from monosema.evaluation.documents import DocumentSums, Exact, Terms

Better = Literal["lower", "higher", "neither"]


class Metric(ABC):
    """Accumulates batches of one dictionary.

    `formula`, `unit` and `better` are for tables; `needs_model` tells metrics that cannot be had
    from activations alone.
    """

    formula: ClassVar[str]
    unit: ClassVar[str]
    better: ClassVar[Better]
    needs_model: ClassVar[bool] = False

    @abstractmethod
    def update(self, batch: ScoreBatch) -> None:
        """Take in the scored tokens of `batch`."""

    @abstractmethod
    def result(self) -> Terms | Exact:
        """What was taken in so far, ready to be estimated."""


def mean_of_sums(sums: Float[Tensor, "*resample 2"]) -> Float[Tensor, "*resample"]:
    """Sum over count; 0 / 0 is not a number."""
    return sums[..., 0] / sums[..., 1]


class MeanMetric(Metric):
    """A metric that is a mean over tokens (or predictions) of something each of them has."""

    def __init__(self) -> None:
        self.sums = DocumentSums(2)

    @abstractmethod
    def each(self, batch: ScoreBatch) -> tuple[Int64[Tensor, "token"], Float[Tensor, "token"]]:
        """The documents of the tokens, and what is averaged over them."""

    def update(self, batch: ScoreBatch) -> None:
        documents, values = self.each(batch)
        self.sums.add(documents, values, values.new_ones(len(values)))

    def result(self) -> Terms | Exact:
        return self.sums.terms(mean_of_sums)


def predictions_of(batch: ScoreBatch) -> Predictions:
    """The batch's predictions; a metric that asks for them declares `needs_model`."""
    assert batch.predictions is not None, "a metric that needs the model was given activations alone"
    return batch.predictions
