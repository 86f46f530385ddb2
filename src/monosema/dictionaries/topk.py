"""TopK: on every row the k largest pre-activations fire (Makhzani & Frey 2013; Gao et al. 2024).

    f = TopK(ReLU(W_enc (x - b_dec) + b_enc))        L = mse + auxk / 8

L0 is k by construction, unless fewer than k pre-activations are positive.
"""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from monosema.core.config import require_range
from monosema.dictionaries.architecture import HALF, Architecture, Moment, Terms, mse
from monosema.dictionaries.auxk import auxk_loss, require_auxk, silence
from monosema.dictionaries.codes import SparseCodes
from monosema.dictionaries.kernels import pre_activations
from monosema.dictionaries.selection import strongest
from monosema.dictionaries.weights import Weights


@dataclass(frozen=True)
class TopKConfig:
    """k: features per row. auxk: weight of the loss for dead features. A feature is dead when it has been silent
    for `dead_after` rows; None is `auxk.silence`."""

    n_features: int = 4096
    k: int = 32
    auxk: float = 1 / 8
    dead_after: int | None = None

    def __post_init__(self) -> None:
        require_range("n_features", self.n_features, 1)
        require_range("k", self.k, 1, self.n_features)
        require_auxk(self.auxk, self.dead_after)

    def silence(self, rows: int) -> int:
        """The rows after which a feature is dead, in a run of `rows`."""
        return silence(self.dead_after, rows, self.n_features / self.k)


@final
class TopK(Architecture):
    """The rule above."""

    Config = TopKConfig
    counts_per_row = ("k",)
    first_scale = HALF

    def __init__(self, config: TopKConfig) -> None:
        self.config = config

    def encode(self, weights: Weights, x: Float[Tensor, "batch d_in"]) -> SparseCodes:
        return strongest(weights, weights.encoder_input(x), self.config.k)

    def loss(
        self, weights: Weights, x: Float[Tensor, "batch d_in"], y: Float[Tensor, "batch d_out"], moment: Moment
    ) -> Terms:
        centred = weights.encoder_input(x)
        codes = strongest(weights, centred, self.config.k)
        return selected_loss(weights, centred, y, codes, moment, self.config)


def selected_loss(
    weights: Weights,
    x: Float[Tensor, "batch d_in"],
    y: Float[Tensor, "batch d_out"],
    codes: SparseCodes,
    moment: Moment,
    config: TopKConfig,
) -> Terms:
    """mse of the reconstruction from the selected `codes`, plus AuxK for the dead. x: what the encoder multiplies."""
    codes = codes.with_values(pre_activations(x, weights.centre, weights.W_enc, weights.b_enc, codes))
    parts = {}
    parts["mse"], error = mse(weights, codes, y)
    parts["auxk"] = auxk_loss(weights, x, error, moment.dead(codes, config.silence(moment.rows)))
    return Terms(parts["mse"] + config.auxk * parts["auxk"], parts, codes.detached())
