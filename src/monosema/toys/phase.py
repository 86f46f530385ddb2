"""Two features in one dimension: the phases of superposition over relative importance and density.

    importance (1, r), both on with probability p       phases: only the first, only the second, antipodal, same side

    own dimension    loss  min(1, r) (p / 3 - p^2 / 4)      the other feature is guessed as its mean, p / 2
    antipodal        loss  (1 + r) p^2 / 6                  an error of min(u_1, u_2) where both are on
    boundary         p* = 4 s / (2 + 5 s),  s = min(r, 1/r)

Antipodal below p*, one feature alone above (Elhage et al. 2022 draw this diagram). The losses are those of the simplest
weights, (1, 0) and (1, -1) with the best bias of the first: training may find better ones of the same shape, so trained
models need not agree in every cell. Every cell is the best of several restarts on exact losses.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from monosema.toys.capacity import represented
from monosema.toys.inputs import Inputs
from monosema.toys.settings import PhaseGridConfig
from monosema.toys.superposition import ToyConfig
from monosema.toys.training import ToyTrainConfig, train

PHASES = ("only the first", "only the second", "antipodal", "same side", "nothing")
FIRST, SECOND, ANTIPODAL, SAME_SIDE, NOTHING = range(5)


def boundary(r: Float64[Tensor, "*ratio"]) -> Float64[Tensor, "*ratio"]:
    """p*: the density below which both features are represented."""
    smaller = torch.minimum(r, 1 / r)
    return 4 * smaller / (2 + 5 * smaller)


def expected_phase(r: Float64[Tensor, "*ratio"], p: Float64[Tensor, "*ratio"]) -> Int64[Tensor, "*ratio"]:
    """The phase that theory gives."""
    alone = torch.where(r <= 1, FIRST, SECOND)
    return torch.where(p < boundary(r), ANTIPODAL, alone)


def phase_of(W: Float[Tensor, "instance 1 2"]) -> Int64[Tensor, "instance"]:
    """The phase of trained weights, by which features are represented and on which sides."""
    there = represented(W)
    both = torch.where(W[:, 0, 0] * W[:, 0, 1] < 0, ANTIPODAL, SAME_SIDE)
    one = torch.where(there[:, 0], FIRST, torch.where(there[:, 1], SECOND, NOTHING))
    return torch.where(there.all(1), both, one)


@dataclass(frozen=True)
class PhaseDiagram:
    """densities, ratios: of columns and rows. phase, expected: of each cell. W, loss: of the best restart."""

    densities: Float64[Tensor, "column"]
    ratios: Float64[Tensor, "line"]
    phase: Int64[Tensor, "line column"]
    expected: Int64[Tensor, "line column"]
    W: Float[Tensor, "line column 2"]
    loss: Float[Tensor, "line column"]
    how: str

    @property
    def agrees(self) -> Bool[Tensor, "line column"]:
        return self.phase == self.expected


def phase_diagram(grid: PhaseGridConfig, scales: tuple[float, float] = (1.0, 1.0)) -> PhaseDiagram:
    """Train every cell, all restarts of all cells in one stack. `scales` multiply the two importances."""
    p = _middles(grid.lowest, grid.highest, grid.cells)
    r = _middles(1 / grid.most_ratio, grid.most_ratio, grid.cells)
    ratio, density = torch.meshgrid(r, p, indexing="ij")
    every = [values.flatten().repeat_interleave(grid.restarts)[:, None] for values in (ratio, density)]
    one = torch.ones_like(every[0])
    importance = torch.cat([one, every[0]], 1) * torch.tensor(scales, dtype=torch.float64)
    inputs = Inputs(every[1].expand(-1, 2).contiguous(), importance)
    training = ToyTrainConfig(steps=grid.steps, lr=grid.lr, last_lr=0.0, method="exact_two", seed=grid.seed)
    run = train(ToyConfig(n=2, m=1), inputs, training)
    best = run.toys.best_of(run.loss, ratio.numel())
    W, loss = best.W_in, run.loss.view(-1, grid.restarts).amin(1)
    shape = ratio.shape
    expected = expected_phase(ratio * scales[1] / scales[0], density)
    return PhaseDiagram(p, r, phase_of(W).view(shape), expected, W.view(*shape, 2), loss.view(shape), run.how)


def _middles(low: float, high: float, n: int) -> Float64[Tensor, "n"]:
    """The middles of n equal parts of [low, high] in the logarithm."""
    parts = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    return low * (high / low) ** parts
