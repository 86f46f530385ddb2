"""The table of metrics: a metric is one class, and one line here."""

from monosema.evaluation.decoder import DecoderCosineMean, DecoderCosineMedian, DecoderCosineP95
from monosema.evaluation.losses import (
    Kl,
    LossMean,
    LossModel,
    LossRecoveredMean,
    LossRecoveredZero,
    LossSpliced,
    LossZero,
)
from monosema.evaluation.metric import Metric
from monosema.evaluation.reconstruction import Cosine, Mse, VarianceExplained
from monosema.evaluation.sparsity import L0, L1, Alive

METRICS: dict[str, type[Metric]] = {
    "mse": Mse,
    "variance_explained": VarianceExplained,
    "cosine": Cosine,
    "l0": L0,
    "l1": L1,
    "alive": Alive,
    "loss_model": LossModel,
    "loss_spliced": LossSpliced,
    "loss_zero": LossZero,
    "loss_mean": LossMean,
    "loss_recovered_zero": LossRecoveredZero,
    "loss_recovered_mean": LossRecoveredMean,
    "kl": Kl,
    "decoder_cosine_mean": DecoderCosineMean,
    "decoder_cosine_median": DecoderCosineMedian,
    "decoder_cosine_p95": DecoderCosineP95,
}
"""Name to class, in the order of the scorecard's lines."""
