"""L-BFGS on many problems at once: every evaluation is one stacked tensor program over all of them.

    x [problem, p] --objective--> loss [problem], gradient [problem, p]

Each problem has its own history, its own step length and its own end; one that has ended stands still while the
others go on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Objective = Callable[[Tensor], tuple[Tensor, Tensor]]

MEMORY = 10
ARMIJO, CURVATURE = 1e-4, 0.9
TRIALS = 16
"""Step lengths tried before a problem is said to be stuck."""


@dataclass(frozen=True, eq=False)
class Minimum:
    """x: where each problem ended. converged: the largest entry of its gradient fell to the tolerance."""

    x: Float[Tensor, "problem p"]
    loss: Float[Tensor, "problem"]
    converged: Bool[Tensor, "problem"]
    evaluations: int


def minimise(objective: Objective, start: Float[Tensor, "problem p"], steps: int, tolerance: float) -> Minimum:
    """Local minima by L-BFGS (Nocedal 1980; `MEMORY` pairs) with weak Wolfe steps, which also make their way down
    functions with kinks (Lewis & Overton 2013).

    A problem ends when the largest entry of its gradient is at most `tolerance`, or when it is stuck: no step along
    the gradient itself lowers its loss any more. Stuck with a history, it forgets that first.
    """
    x = start.clone()
    loss, g = objective(x)
    evaluations = 1
    history = _History(g)
    moving = g.abs().amax(1) > tolerance
    for _ in range(steps):
        if not moving.any():
            break
        direction = history.direction(g)
        slope = (direction * g).sum(1)
        lost = ~(slope < 0)
        direction, slope = torch.where(lost[:, None], -g, direction), torch.where(lost, -g.square().sum(1), slope)
        length, trials = _weak_wolfe(objective, x, loss, direction, slope, moving)
        evaluations += trials
        s = length[:, None] * direction
        tried, tried_g = objective(x + s)
        evaluations += 1
        down = moving & (tried < loss)
        s = torch.where(down[:, None], s, 0.0)
        y = torch.where(down[:, None], tried_g - g, 0.0)
        x, loss, g = x + s, torch.where(down, tried, loss), g + y
        moving = moving & (g.abs().amax(1) > tolerance) & (down | history.known)
        history.add(s, y, forget=~down)
    return Minimum(x, loss, g.abs().amax(1) <= tolerance, evaluations)


def _weak_wolfe(
    objective: Objective, x: Tensor, loss: Tensor, direction: Tensor, slope: Tensor, moving: Tensor
) -> tuple[Tensor, int]:
    """Step lengths at which the loss has fallen enough and its slope has risen enough, by doubling and bisection."""
    low, high = torch.zeros_like(loss), torch.full_like(loss, torch.inf)
    length = moving.to(x.dtype)
    for trial in range(1, TRIALS + 1):
        tried, g = objective(x + length[:, None] * direction)
        far = ~(tried <= loss + ARMIJO * length * slope)
        near = ~far & ((g * direction).sum(1) < CURVATURE * slope)
        far, near = far & moving, near & moving
        if not (far | near).any():
            return length, trial
        high, low = torch.where(far, length, high), torch.where(near, length, low)
        between = torch.where(high.isinf(), 2 * length, (low + high) / 2)
        length = torch.where(far | near, between, length)
    return torch.where(low > 0, low, length), TRIALS


@final
class _History:
    """The last steps and changes of gradient, [problem, p] each; a step that a problem did not take counts nothing."""

    def __init__(self, g: Tensor) -> None:
        self.pairs: list[tuple[Tensor, Tensor, Tensor]] = []
        self.first = 1.0 / g.norm(dim=1).clamp_min(1e-30)
        self.scale = self.first
        self.known = torch.zeros(len(g), dtype=torch.bool, device=g.device)

    def add(self, s: Tensor, y: Tensor, *, forget: Tensor) -> None:
        curvature = (s * y).sum(1)
        kept = curvature > 0
        rho = torch.where(kept, 1.0 / torch.where(kept, curvature, 1.0), 0.0)
        older = [(a, b, torch.where(forget, 0.0, r)) for a, b, r in self.pairs[-MEMORY + 1 :]]
        self.pairs = [*older, (s, y, rho)]
        scale = torch.where(kept, curvature / y.square().sum(1).clamp_min(1e-30), self.scale)
        self.scale = torch.where(forget, self.first, scale)
        self.known = (self.known | kept) & ~forget

    def direction(self, g: Tensor) -> Tensor:
        """-H g by the two loops."""
        q, shares = g, []
        for s, y, rho in reversed(self.pairs):
            shares.append(rho * (s * q).sum(1))
            q = q - shares[-1][:, None] * y
        q = q * self.scale[:, None]
        for (s, y, rho), share in zip(self.pairs, reversed(shares), strict=True):
            q = q + (share - rho * (y * q).sum(1))[:, None] * s
        return -q
