"""A norm whose denominators are held: linear in what it reads, token by token.

    y[t] = gain * (x[t] - mean x[t]) * inverse[t] + bias          without the mean for an RMSNorm

The denominator is computed from the module's own epsilon, and believed when the module's own output comes out.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from monosema.core.errors import MismatchError
from monosema.models.norms import recognise

EPSILONS = ("eps", "variance_epsilon")
"""What modules call what they add to the variance."""


@dataclass(frozen=True)
class HeldNorm:
    """A norm at one pass over `token` tokens; `gain` and `bias` are one for all of them."""

    gain: Float[Tensor, "d_model"]
    bias: Float[Tensor, "d_model"]
    inverse: Float[Tensor, "token"]
    centred: bool

    def push(self, x: Float[Tensor, "token *more d_model"]) -> Float[Tensor, "token *more d_model"]:
        """What a change `x` of the input changes in the output: no bias."""
        return self._centre(x) * self._over(x) * self.gain

    def pull(self, g: Float[Tensor, "token *more d_model"]) -> Float[Tensor, "token *more d_model"]:
        """The reading of the input that a reading `g` of the output is."""
        return self._centre(g * self.gain) * self._over(g)

    def at(self, token: Tensor) -> "HeldNorm":
        """The same norm at some of the tokens, in the order given."""
        return HeldNorm(self.gain, self.bias, self.inverse[token], self.centred)

    def _over(self, x: Tensor) -> Tensor:
        return self.inverse[: len(x)].view(-1, *[1] * (x.ndim - 1))

    def _centre(self, x: Tensor) -> Tensor:
        return x - x.mean(-1, keepdim=True) if self.centred else x


def hold(module: nn.Module, x: Float[Tensor, "token d_model"], dtype: torch.dtype) -> HeldNorm:
    """`module` with the denominators that it has at `x`, in `dtype`.

    Raises MismatchError when the result is not what the module gives.
    """
    truth = module(x).to(dtype)
    held = _held(module, x, dtype)
    miss = (held.push(x.to(dtype)) + held.bias - truth).abs().max()
    finest = max(torch.finfo(x.dtype).eps, torch.finfo(torch.float32).eps)  # most norms compute in float32
    if not miss <= 64 * finest * max(1.0, float(truth.abs().max())):
        raise MismatchError(f"{type(module).__name__} with its denominator held misses its own output by {miss:.1e}")
    return held


def _held(module: nn.Module, x: Tensor, dtype: torch.dtype) -> HeldNorm:
    d_model, wide = x.shape[1], x.to(dtype)
    zeros, ones = wide.new_zeros(d_model), wide.new_ones(d_model)
    if isinstance(module, nn.Identity):
        return HeldNorm(ones, zeros, wide.new_ones(len(x)), False)
    kind = recognise(module, d_model)
    weights = {name: parameter.detach().to(dtype) for name, parameter in module.named_parameters()}
    offset = (kind.gain.to(dtype) - weights["weight"]).mean().round()
    spread = wide - wide.mean(-1, keepdim=True) if kind.centred else wide
    inverse = (spread.square().mean(-1) + _epsilon(module, x.dtype)).rsqrt()
    return HeldNorm(weights["weight"] + offset, weights.get("bias", zeros), inverse, kind.centred)


def _epsilon(module: nn.Module, dtype: torch.dtype) -> float:
    settings: dict[str, Any] = vars(module)
    for name in EPSILONS:
        if name in settings:
            return torch.finfo(dtype).eps if settings[name] is None else settings[name]
    raise MismatchError(f"{type(module).__name__} has no epsilon under a name known here: {', '.join(EPSILONS)}")
