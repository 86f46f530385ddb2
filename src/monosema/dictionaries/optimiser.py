"""Adam over the tensors of a dictionary, with what belongs between its steps, in one pass over each.

    gradient -> take off what is parallel to unit rows -> clip the whole to a norm -> Adam -> unit rows

A feature without a gradient moves as in any dense Adam: its moments decay, and it follows them.

`state`     float32    Adam as published: two moments as large as the tensor
            factored   the second as one number a row and one a column (Shazeer & Stern 2018, Adafactor,
                       section 3), the first in bfloat16: 2 bytes a number instead of 8; another update
"""

from collections.abc import Iterable, Mapping
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.dictionaries.kernels.adam import AdamStep
from monosema.dictionaries.kernels.backends import backend_for

State = Literal["float32", "factored"]

EPSILON = 1e-10
"""Losses are means over coordinates; the usual 1e-8 would not be small against their gradients."""

ROWS = 1024


@final
class Adam:
    """The optimiser of one dictionary. `unit` names the matrices whose rows have norm 1."""

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        unit: Iterable[str],
        betas: tuple[float, float],
        state: State = "float32",
    ) -> None:
        self.parameters, self.unit, self.betas, self.state = dict(parameters), frozenset(unit), betas, state
        self.t = 0
        self.moments = {name: self._fresh(tensor.detach()) for name, tensor in self.parameters.items()}

    def _fresh(self, tensor: Tensor) -> tuple[Tensor, ...]:
        if self.state == "factored" and tensor.ndim == 2:
            first = torch.zeros_like(tensor, dtype=torch.bfloat16)
            return first, torch.zeros_like(tensor[:, 0]), torch.zeros_like(tensor[0])
        return torch.zeros_like(tensor), torch.zeros_like(tensor)

    def gradients(self) -> dict[str, Tensor]:
        """The gradient of every parameter that has one."""
        return {name: p.grad for name, p in self.parameters.items() if p.grad is not None}

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters.values():
            parameter.grad = None

    @torch.no_grad()
    def gradient_norm(self) -> float:
        """The norm of the whole gradient, after taking off it what is parallel to unit rows."""
        squares = []
        for name, gradient in self.gradients().items():
            W, kernels = self.parameters[name], backend_for(gradient)
            if name in self.unit:
                squares.append(kernels.perpendicular(W, gradient))
            else:
                squares.append(kernels.squared_norm(_matrix(gradient)))
        return float(torch.stack(squares).sum().sqrt())

    @torch.no_grad()
    def step(self, lr: float, scale: float = 1.0) -> None:
        """One update with the gradients times `scale`; rows of the unit matrices keep their norm."""
        self.t += 1
        step = AdamStep.at(self.t, lr, *self.betas, EPSILON, scale)
        for name, gradient in self.gradients().items():
            W, moments, unit = self.parameters[name], self.moments[name], name in self.unit
            if len(moments) == 3:
                _factored(W, gradient, moments, step, unit=unit)
            else:
                first, second = (_matrix(moment) for moment in moments)
                backend_for(W).adam(_matrix(W), _matrix(gradient), (first, second), step, unit=unit)

    @torch.no_grad()
    def forget(self, features: Tensor, names: Iterable[str]) -> None:
        """Set the moments of some rows of the tensors called `names` to zero."""
        for name in names:
            for moment in self.moments[name]:
                if len(moment) == len(self.parameters[name]):
                    moment[features] = 0.0

    def tensors(self) -> dict[str, Tensor]:
        """The moments, by name, for a checkpoint."""
        return {f"{i}.{name}": moment for name, moments in self.moments.items() for i, moment in enumerate(moments)}

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor], t: int) -> None:
        """Stand where `tensors` were taken, after `t` steps."""
        self.t = t
        for name, moments in self.moments.items():
            for i, moment in enumerate(moments):
                moment.copy_(tensors[f"{i}.{name}"])


def _matrix(tensor: Tensor) -> Float[Tensor, "n d"]:
    return tensor if tensor.ndim == 2 else tensor.view(1, -1)


def _factored(W: Tensor, gradient: Tensor, moments: tuple[Tensor, ...], step: AdamStep, *, unit: bool) -> None:
    first, by_row, by_column = moments
    squares = [(gradient[r : r + ROWS] * step.scale).square() for r in range(0, len(W), ROWS)]
    by_row.lerp_(torch.cat([part.mean(1) for part in squares]), 1 - step.beta2)
    by_column.lerp_(torch.stack([part.sum(0) for part in squares]).sum(0) / len(W), 1 - step.beta2)
    mean = by_row.mean().clamp_min(torch.finfo(W.dtype).tiny)
    for r in range(0, len(W), ROWS):
        part = slice(r, r + ROWS)
        m = first[part].to(W.dtype).lerp_(gradient[part] * step.scale, 1 - step.beta1)
        first[part] = m
        v = by_row[part, None] * (by_column / mean)
        W[part].addcdiv_(m, v.sqrt_().div_(step.correction).add_(step.epsilon), value=-step.rate)
        if unit:
            W[part] /= W[part].norm(dim=1, keepdim=True)
