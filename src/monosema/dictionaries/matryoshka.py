"""Matryoshka: nested dictionaries, each of which must reconstruct alone (Bussmann et al. 2025).

    groups    the first m_1 features, the first m_2, ... all n_features
    training  BatchTopK selects; y'_g = b_dec + sum over the features before m_g; L = mean_g mse(y'_g) + auxk / 8
    in use    as BatchTopK, by threshold

Early features are pushed to be general, so that a specific one does not absorb them.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.config import require
from monosema.dictionaries.architecture import HALF, Architecture, Moment, Terms
from monosema.dictionaries.auxk import auxk_loss
from monosema.dictionaries.batchtopk import (
    BatchTopKConfig,
    encode_above,
    select_batch,
    threshold_extra,
    threshold_statistics,
)
from monosema.dictionaries.codes import SparseCodes
from monosema.dictionaries.kernels import decode, pre_activations
from monosema.dictionaries.weights import Weights


@dataclass(frozen=True)
class MatryoshkaConfig(BatchTopKConfig):
    """As BatchTopK's; shares: the nested sizes as fractions of n_features, rising to 1."""

    shares: tuple[float, ...] = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        rising = all(a < b for a, b in zip((0.0, *self.shares), self.shares, strict=False))
        require(
            rising and self.shares[-1] == 1,
            f"shares must rise from above 0 to 1, got {self.shares}: write them as 0.25+0.5+1.0",
        )


@final
class Matryoshka(Architecture):
    """The rule above."""

    Config = MatryoshkaConfig
    scaled_extra = ("threshold",)
    first_scale = HALF

    def __init__(self, config: MatryoshkaConfig) -> None:
        self.config = config

    def inference_extra(self, statistics: dict[str, float], n_features: int) -> dict[str, Tensor]:
        return threshold_extra(statistics, n_features)

    def encode(self, weights: Weights, x: Float[Tensor, "batch d_in"]) -> SparseCodes:
        return encode_above(weights, x)

    def loss(
        self, weights: Weights, x: Float[Tensor, "batch d_in"], y: Float[Tensor, "batch d_out"], moment: Moment
    ) -> Terms:
        x = weights.encoder_input(x)
        places = select_batch(weights, x, self.config, moment)
        values = pre_activations(x, weights.centre, weights.W_enc, weights.b_enc, places)
        codes = places.with_values(values)
        nested = self._nested(weights, codes, y)
        losses = [(part - y).square().mean() for part in nested]
        parts = {"mse": losses[-1], "nested": torch.stack(losses).mean()}
        dead = moment.dead(codes, self.config.silence(moment.rows))
        parts["auxk"] = auxk_loss(weights, x, (nested[-1] - y).detach(), dead)
        loss = parts["nested"] + self.config.auxk * parts["auxk"]
        return Terms(loss, parts, codes.detached(), threshold_statistics(places, self.config, moment))

    def _nested(self, weights: Weights, codes: SparseCodes, y: Tensor) -> list[Tensor]:
        """The reconstructions of the nested dictionaries, smallest first, each adding to the last."""
        nested, total, start = [], weights.b_dec.expand_as(y), 0
        for share in self.config.shares:
            stop = max(start + 1, round(share * weights.n_features))
            inside = (codes.indices >= start) & (codes.indices < stop)
            total = total + decode(codes.where(inside), weights.W_dec, torch.zeros_like(weights.b_dec))
            nested.append(total)
            start = stop
        return nested
