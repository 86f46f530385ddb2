"""BatchTopK: over a batch the k x batch largest pre-activations fire (Bussmann, Leask & Nanda 2024).

    training   f = the batch's k x batch largest of ReLU(W_enc (x - b_dec) + b_enc); at first each row's k largest
    in use     f = pre where pre > threshold, the running mean of each batch's smallest active value

Rows may use more or fewer than k features; the mean is k. A run begins as TopK's does: where rows compete, the
features of weak rows are never chosen, and die before they are worth choosing. (Not in the paper; measured.)
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.config import require_range
from monosema.dictionaries.architecture import HALF, Architecture, Moment, Terms
from monosema.dictionaries.codes import SparseCodes
from monosema.dictionaries.selection import above, strongest, strongest_of_batch
from monosema.dictionaries.topk import TopKConfig, selected_loss
from monosema.dictionaries.weights import Weights

THRESHOLD, ROW_THRESHOLD = "threshold", "row_threshold"

LEAST_BY_BATCH = 90
"""Steps at the end that choose by batch, whatever `per_row`: with fewer, what the rows were given is not unlearned."""


@dataclass(frozen=True)
class BatchTopKConfig(TopKConfig):
    """As TopK's; k is the mean number of features per row. per_row: share of the run in which every row has k, all but
    its last LEAST_BY_BATCH steps."""

    per_row: float = 0.8

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range("per_row", self.per_row, 0, 1)


@final
class BatchTopK(Architecture):
    """The rule above."""

    Config = BatchTopKConfig
    counts_per_row = ("k",)
    scaled_extra = ("threshold",)
    first_scale = HALF

    def __init__(self, config: BatchTopKConfig) -> None:
        self.config = config

    def inference_extra(self, statistics: dict[str, float], n_features: int) -> dict[str, Tensor]:
        return threshold_extra(statistics, n_features)

    def encode(self, weights: Weights, x: Float[Tensor, "batch d_in"]) -> SparseCodes:
        return encode_above(weights, x)

    def loss(
        self, weights: Weights, x: Float[Tensor, "batch d_in"], y: Float[Tensor, "batch d_out"], moment: Moment
    ) -> Terms:
        x = weights.encoder_input(x)
        codes = select_batch(weights, x, self.config, moment)
        terms = selected_loss(weights, x, y, codes, moment, self.config)
        return Terms(terms.loss, terms.parts, terms.codes, threshold_statistics(codes, self.config, moment))


def select_batch(
    weights: Weights, x: Float[Tensor, "batch d_in"], config: BatchTopKConfig, moment: Moment
) -> SparseCodes:
    """The k x batch largest pre-activations of what the encoder multiplies; at first the k largest of each row."""
    if by_row(config, moment, len(x)):
        return strongest(weights, x, config.k)
    return strongest_of_batch(weights, x, config.k * len(x))


def by_row(config: BatchTopKConfig, moment: Moment, batch: int) -> bool:
    """Whether the run is still in its first part, in which every row has k features."""
    steps_left = (1 - moment.progress) * moment.rows / batch
    return moment.progress < config.per_row and steps_left > LEAST_BY_BATCH


def threshold_statistics(codes: SparseCodes, config: BatchTopKConfig, moment: Moment) -> dict[str, float]:
    """The smallest active value of the batch, to be averaged; nothing when nothing fires. What a row's k-th largest
    was says little of it: it has a name of its own."""
    name = ROW_THRESHOLD if by_row(config, moment, len(codes)) else THRESHOLD
    return {name: float(codes.values.min())} if len(codes.values) else {}


def threshold_extra(statistics: dict[str, float], n_features: int) -> dict[str, Tensor]:
    """One threshold for every feature, as JumpReLU stores it; from rows where no batch was selected as a whole."""
    threshold = statistics.get(THRESHOLD, statistics.get(ROW_THRESHOLD, 0.0))
    return {"threshold": torch.full((n_features,), threshold)}


def encode_above(weights: Weights, x: Float[Tensor, "batch d_in"]) -> SparseCodes:
    """The pre-activations above their feature's threshold."""
    return above(weights, weights.encoder_input(x), weights.extra["threshold"])
