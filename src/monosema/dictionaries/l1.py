"""L1: a ReLU autoencoder with a penalty on the sum of activations (Bricken et al. 2023).

    f = ReLU(W_enc (x - b_dec) + b_enc)        L = (|y - y'|^2 + penalty * sum f) / d_out

`tied`: the encoder is the decoder transposed, as in Cunningham et al. 2023. Dead features are
resampled as Bricken et al. describe; see `resampling`.
"""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from monosema.core.config import require, require_range
from monosema.dictionaries.architecture import FIRST_L0, Architecture, Moment, Terms, bias_for, mse, warmed
from monosema.dictionaries.codes import SparseCodes
from monosema.dictionaries.kernels import pre_activations
from monosema.dictionaries.selection import above
from monosema.dictionaries.weights import Weights


@dataclass(frozen=True)
class L1Config:
    """penalty: coefficient of sum f against the summed squared error, activations having unit
    variance; it rises from 0 over `warmup` of the run.

    resample_at: fractions of the run at which dead features are resampled; a feature is dead when it
    has been silent for `resample_window` of the run before (Bricken et al. 2023: steps 25k, 50k, 75k
    and 100k of 200k, and 12.5k steps); resample_rows: how many rows the new directions are drawn from.
    """

    n_features: int = 4096
    penalty: float = 5.0
    tied: bool = False
    warmup: float = 0.05
    resample_at: tuple[float, ...] = (0.125, 0.25, 0.375, 0.5)
    resample_window: float = 0.0625
    resample_rows: int = 819_200

    def __post_init__(self) -> None:
        require_range("n_features", self.n_features, 1)
        require_range("penalty", self.penalty, 0)
        require_range("warmup", self.warmup, 0, 1)
        require_range("resample_window", self.resample_window, 0, 1, open_low=True)
        require_range("resample_rows", self.resample_rows, 1)
        require(all(0 < share < 1 for share in self.resample_at), f"resample_at must lie in (0, 1): {self.resample_at}")


@final
class L1(Architecture):
    """The rule above."""

    Config = L1Config

    def __init__(self, config: L1Config) -> None:
        self.config = config

    def first_bias(self, n_features: int) -> float:
        return bias_for(FIRST_L0, n_features)

    def encode(self, weights: Weights, x: Float[Tensor, "batch d_in"]) -> SparseCodes:
        return above(weights, weights.encoder_input(x))

    def loss(
        self, weights: Weights, x: Float[Tensor, "batch d_in"], y: Float[Tensor, "batch d_out"], moment: Moment
    ) -> Terms:
        x = weights.encoder_input(x)
        codes = above(weights, x)
        codes = codes.with_values(pre_activations(x, weights.centre, weights.W_enc, weights.b_enc, codes))
        parts = {"mse": mse(weights, codes, y)[0], "l1": codes.values.sum() / y.numel()}
        penalty = self.config.penalty * warmed(moment.progress, self.config.warmup)
        return Terms(parts["mse"] + penalty * parts["l1"], parts, codes.detached())
