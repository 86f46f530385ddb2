"""What a norm does, found out by reproducing what it gives: LayerNorm or RMSNorm, gain g or 1 + g.

    LayerNorm   g * (x - mean(x)) / deviation(x) + b          RMSNorm   g * x / rms(x)

Nothing is concluded from a class name. On inputs this large the norm's epsilon is below rounding; with
a mean as large as their deviation, subtracting it or not makes a difference in half precision too.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.errors import MismatchError
from monosema.core.seeding import generator

SCALE = 1000.0
"""Deviation and mean of the probes. An epsilon of 1e-5 moves the result by 5e-12 of itself."""


@dataclass(frozen=True)
class Norm:
    """The gain that a norm multiplies by, float32, and whether it subtracts the mean first."""

    gain: Float[Tensor, " d_model"]
    centred: bool


def recognise(module: torch.nn.Module, d_model: int) -> Norm:
    """What kind of norm `module` is. Raises MismatchError if it reproduces as none of the four kinds."""
    parameters = {name: p.detach() for name, p in module.named_parameters()}
    if "weight" not in parameters:
        raise MismatchError(f"{type(module).__name__} has no gain: there is no norm to fold into the unembedding")
    weight = parameters["weight"]
    bias = parameters["bias"].double() if "bias" in parameters else 0.0
    x = SCALE * (1 + torch.randn(8, d_model, generator=generator(0, "norm"))).to(weight.device, weight.dtype)
    with torch.no_grad():
        truth = module(x).double()
    rounding = max(torch.finfo(weight.dtype).eps, torch.finfo(torch.float32).eps)
    tolerance = 16 * rounding * max(float(truth.abs().max()), 1.0)
    for centred in (True, False):
        for offset in (0.0, 1.0):
            gain = weight.double() + offset
            y = x.double() - x.double().mean(-1, keepdim=True) if centred else x.double()
            if (gain * y / y.square().mean(-1, keepdim=True).sqrt() + bias - truth).abs().max() <= tolerance:
                return Norm(gain.float(), centred)
    raise MismatchError(f"{type(module).__name__} is neither LayerNorm nor RMSNorm: its gain cannot be folded")
