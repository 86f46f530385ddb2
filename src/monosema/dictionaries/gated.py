"""Gated: one set of directions decides which features fire, another bias and scale how strongly
(Rajamanoharan et al. 2024, "Improving dictionary learning with gated sparse autoencoders").

    gate = W_enc (x - b_dec) + b_gate                 fires where gate > 0
    f    = [gate > 0] ReLU(exp(r_mag) W_enc (x - b_dec) + b_mag)
    L    = mse(y') + penalty * sum ReLU(gate) / d_out + mse(y' of ReLU(gate), decoder held fixed)

Here b_enc is b_gate.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.config import require_range
from monosema.dictionaries.architecture import FIRST_L0, HALF, Architecture, Moment, Terms, bias_for, mse, warmed
from monosema.dictionaries.codes import SparseCodes
from monosema.dictionaries.kernels import pre_activations, squared_error
from monosema.dictionaries.selection import above
from monosema.dictionaries.weights import Weights


@dataclass(frozen=True)
class GatedConfig:
    """penalty: coefficient of the gate's L1 norm, in the units of L1's; it rises from 0 over `warmup`."""

    n_features: int = 4096
    penalty: float = 5.0
    warmup: float = 0.05

    def __post_init__(self) -> None:
        require_range("n_features", self.n_features, 1)
        require_range("penalty", self.penalty, 0)
        require_range("warmup", self.warmup, 0, 1)


@final
class Gated(Architecture):
    """The rule above."""

    Config = GatedConfig
    scaled_extra = ("b_mag",)
    first_scale = HALF

    def __init__(self, config: GatedConfig) -> None:
        self.config = config

    def extra(self, n_features: int) -> dict[str, Tensor]:
        return {"r_mag": torch.zeros(n_features), "b_mag": torch.zeros(n_features)}

    def first_bias(self, n_features: int) -> float:
        return bias_for(FIRST_L0, n_features)

    def encode(self, weights: Weights, x: Float[Tensor, "batch d_in"]) -> SparseCodes:
        codes = above(weights, weights.encoder_input(x))
        codes = codes.with_values(_magnitudes(weights, codes.values, codes))
        return codes.where(codes.values > 0)

    def loss(
        self, weights: Weights, x: Float[Tensor, "batch d_in"], y: Float[Tensor, "batch d_out"], moment: Moment
    ) -> Terms:
        x = weights.encoder_input(x)
        open_gates = above(weights, x)
        gate = pre_activations(x, weights.centre, weights.W_enc, weights.b_enc, open_gates)
        codes = open_gates.with_values(_magnitudes(weights, gate, open_gates).relu())
        parts = {"mse": mse(weights, codes, y)[0], "l1": gate.sum() / y.numel()}
        fixed = weights.W_dec.detach(), weights.b_dec.detach()
        parts["gate"] = squared_error(open_gates.with_values(gate), *fixed, y)[0] / y.numel()
        penalty = self.config.penalty * warmed(moment.progress, self.config.warmup)
        firing = codes.detached().where(codes.values.detach() > 0)
        return Terms(parts["mse"] + penalty * parts["l1"] + parts["gate"], parts, firing)


def _magnitudes(weights: Weights, gate: Tensor, codes: SparseCodes) -> Tensor:
    """exp(r_mag) W_enc x + b_mag at the places of `codes`, from the gate's W_enc x + b_gate there."""
    b_gate, r_mag, b_mag = (codes.spread(t) for t in (weights.b_enc, weights.extra["r_mag"], weights.extra["b_mag"]))
    return (gate - b_gate) * r_mag.exp() + b_mag
