"""Many shapes and densities of toy models, and what every measure says of each.

of each (n, m, density) the best of some restarts        its reading, its shape, its loss
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from monosema.toys.geometry import recognise
from monosema.toys.inputs import uniform_inputs
from monosema.toys.readings import Reading, read
from monosema.toys.superposition import ToyConfig
from monosema.toys.training import ToyTrainConfig, train


@dataclass(frozen=True)
class Swept:
    """One model, the best of its restarts. W: [m, n]."""

    n: int
    m: int
    density: float
    loss: float
    W: Tensor
    reading: Reading
    shape: str
    how: str


def sweep(
    shapes: Sequence[tuple[int, int]],
    densities: Sequence[float],
    restarts: int,
    training: ToyTrainConfig,
    decay: float = 1.0,
) -> list[Swept]:
    """The best model of every (n, m) at every density; all densities and restarts of a shape in one stack."""
    found = []
    for n, m in shapes:
        each = torch.tensor(densities, dtype=torch.float64).repeat_interleave(restarts)
        run = train(ToyConfig(n=n, m=m), uniform_inputs(len(each), n, each, decay), training)
        best = run.toys.best_of(run.loss, len(densities))
        losses = run.loss.view(len(densities), -1).amin(1).tolist()
        for density, loss, W in zip(densities, losses, best.W_in, strict=True):
            found.append(Swept(n, m, density, loss, W, read(W), recognise(W).name, run.how))
    return found
