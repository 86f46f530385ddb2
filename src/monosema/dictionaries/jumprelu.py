"""JumpReLU: a feature fires above its own learned threshold (Rajamanoharan et al. 2024,
"Jumping ahead"), with a penalty that pulls L0 to a target.

    f = pre where pre > theta         pre = W_enc (x - b_dec) + b_enc
    L = mse + penalty (L0 / target - 1)^2 + auxk / 8

Thresholds are trained through straight-through estimators of width `bandwidth`: near its threshold a
feature's value has derivative -theta/bandwidth, and its firing -1/bandwidth, by theta. The threshold
is kept directly (not its logarithm), in float32, and not below zero. The gradient of the firing goes
to the threshold only, as in the paper; thresholds and widths are in units of activation at unit
variance, where a centred row has a norm of about sqrt(d).

Two things are not in the paper. AuxK, as in TopK: without it two features in five died on worlds whose features are
known. And a run may begin as TopK's does: for `per_row` of it every row has its `target` largest, while the penalty
already pulls the thresholds to where L0 would be the target. That finds more of what is there and leaves more error:
docs/architectures.md has the measurements.
"""

from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.config import require_range
from monosema.dictionaries.architecture import HALF, Architecture, Moment, Terms, bias_for, mse, warmed
from monosema.dictionaries.auxk import auxk_loss, require_auxk, silence
from monosema.dictionaries.batchtopk import encode_above
from monosema.dictionaries.codes import SparseCodes
from monosema.dictionaries.kernels import pre_activations
from monosema.dictionaries.selection import above, strongest
from monosema.dictionaries.weights import Weights


@dataclass(frozen=True)
class JumpReLUConfig:
    """target: L0 to settle at. penalty rises from 0 over `warmup` of the run. first: L0 before
    training, as a multiple of the target; it sets where all thresholds begin. auxk, dead_after: as TopK's.
    per_row: share of the run in which every row has `target` features."""

    n_features: int = 4096
    target: float = 32.0
    penalty: float = 1.0
    warmup: float = 0.2
    first: float = 2.0
    bandwidth: float = 1.0
    auxk: float = 1 / 8
    dead_after: int | None = None
    per_row: float = 0.0

    def __post_init__(self) -> None:
        require_range("n_features", self.n_features, 1)
        require_range("target", self.target, 0, self.n_features, open_low=True)
        require_range("penalty", self.penalty, 0)
        require_range("warmup", self.warmup, 0, 1)
        require_range("first", self.first, 0, open_low=True)
        require_range("bandwidth", self.bandwidth, 0, open_low=True)
        require_auxk(self.auxk, self.dead_after)
        require_range("per_row", self.per_row, 0, 1)

    def silence(self, rows: int) -> int:
        """The rows after which a feature is dead, in a run of `rows`."""
        return silence(self.dead_after, rows, self.n_features / self.target)


@final
class JumpReLU(Architecture):
    """The rule above."""

    Config = JumpReLUConfig
    counts_per_row = ("target",)
    scaled_extra = ("threshold",)
    first_scale = HALF

    def __init__(self, config: JumpReLUConfig) -> None:
        self.config = config

    def extra(self, n_features: int) -> dict[str, Tensor]:
        start = -bias_for(self.config.first * self.config.target, n_features)
        return {"threshold": torch.full((n_features,), start)}

    def project(self, weights: Weights) -> None:
        weights.extra["threshold"].data.clamp_(min=0)

    def encode(self, weights: Weights, x: Float[Tensor, "batch d_in"]) -> SparseCodes:
        return encode_above(weights, x)

    def loss(
        self, weights: Weights, x: Float[Tensor, "batch d_in"], y: Float[Tensor, "batch d_out"], moment: Moment
    ) -> Terms:
        x = weights.encoder_input(x)
        codes, l0 = self._coded(weights, x, by_row=moment.progress < self.config.per_row)
        fired = codes.detached()
        fired = fired.where(fired.values > 0)
        squared, error = mse(weights, codes, y)
        dead = moment.dead(fired, self.config.silence(moment.rows))
        parts = {"mse": squared, "l0": l0, "auxk": auxk_loss(weights, x, error, dead)}
        penalty = self.config.penalty * warmed(moment.progress, self.config.warmup)
        loss = parts["mse"] + penalty * (l0 / self.config.target - 1).square() + self.config.auxk * parts["auxk"]
        return Terms(loss, parts, fired)

    def _coded(
        self, weights: Weights, x: Float[Tensor, "batch d_in"], *, by_row: bool
    ) -> tuple[SparseCodes, Float[Tensor, ""]]:
        """The codes, and L0 above the thresholds; by row, the thresholds choose nothing yet and only L0 moves them.
        x: what the encoder multiplies."""
        theta, width = weights.extra["threshold"], self.config.bandwidth
        near = above(weights, x, (theta - width / 2).detach())
        near_theta = near.spread(theta)
        if by_row:
            codes = strongest(weights, x, max(1, round(self.config.target)))
            codes = codes.with_values(pre_activations(x, weights.centre, weights.W_enc, weights.b_enc, codes))
            return codes, _Step.apply(near.values, near_theta, width).sum() / len(x)
        pre = pre_activations(x, weights.centre, weights.W_enc, weights.b_enc, near)
        codes = near.with_values(_Jump.apply(pre, near_theta, width))
        return codes, _Step.apply(pre, near_theta, width).sum() / len(x)


class _Jump(torch.autograd.Function):
    """pre where pre > theta; by theta, -theta/width inside the window."""

    @staticmethod
    def forward(ctx: Any, pre: Tensor, theta: Tensor, width: float) -> Tensor:
        ctx.save_for_backward(pre, theta)
        ctx.width = width
        return pre * (pre > theta)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        pre, theta = ctx.saved_tensors
        inside = (pre - theta).abs() < ctx.width / 2
        return grads[0] * (pre > theta), -grads[0] * inside * theta / ctx.width, None


class _Step(torch.autograd.Function):
    """1 where pre > theta; by theta, -1/width inside the window; by pre, nothing."""

    @staticmethod
    def forward(ctx: Any, pre: Tensor, theta: Tensor, width: float) -> Tensor:
        ctx.save_for_backward(pre, theta)
        ctx.width = width
        return (pre > theta).to(pre.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        pre, theta = ctx.saved_tensors
        inside = (pre - theta).abs() < ctx.width / 2
        return None, -grads[0] * inside / ctx.width, None
