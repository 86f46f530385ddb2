"""What a norm does, found out by reproducing what it gives: LayerNorm or RMSNorm, gain g or 1 + g.

    LayerNorm   g * (x - mean(x)) / deviation(x) + b          RMSNorm   g * x / rms(x)

Nothing is concluded from a class name. On inputs this large the norm's epsilon is below rounding.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.errors import MismatchError
from monosema.core.seeding import generator

SCALE = 1000.0
"""Deviation of the probes. An epsilon of 1e-5 moves the result by 5e-12 of itself."""


@dataclass(frozen=True)
class Norm:
    """The gain that a norm multiplies by, float32, and whether it subtracts the mean first."""

    gain: Float[Tensor, " d_model"]
    centred: bool


def recognise(module: torch.nn.Module, d_model: int) -> Norm:
    """What kind of norm `module` is. Raises MismatchError if it reproduces as none of the four kinds."""
    parameters = {name: p.detach() for name, p in module.named_parameters()}
    weight = parameters["weight"]
    bias = parameters["bias"].float() if "bias" in parameters else 0.0
    x = SCALE * torch.randn(8, d_model, generator=generator(0, "norm")).to(weight.device, weight.dtype)
    with torch.no_grad():
        truth = module(x).float()
    tolerance = 16 * torch.finfo(weight.dtype).eps * max(float(truth.abs().max()), 1.0)
    for centred in (True, False):
        for offset in (0.0, 1.0):
            gain = weight.float() + offset
            y = x.float() - x.float().mean(-1, keepdim=True) if centred else x.float()
            if (gain * y / y.square().mean(-1, keepdim=True).sqrt() + bias - truth).abs().max() <= tolerance:
                return Norm(gain, centred)
    raise MismatchError(f"{type(module).__name__} is neither LayerNorm nor RMSNorm: its gain cannot be folded")
