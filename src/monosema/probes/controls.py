"""What a probe's accuracy stands beside: random directions, and the same method on shuffled labels.

Both are measured as the probe is: on the same rows, and of the better sign where its sign is unsettled.

Where one direction holds most of what varies, shuffled labels find it too, with either sign: accuracies near 1 and near
0 then alternate, and it is their mean that is the control. Of a method without labels they move the sign and no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from monosema.core.seeding import generator
from monosema.probes.data import Contrast, Data
from monosema.probes.drawn import random_units
from monosema.probes.fitting import fit_labellings
from monosema.probes.normalising import is_transductive, normalised, statistics
from monosema.probes.probe import Probe


@dataclass(frozen=True)
class Spread:
    """Accuracies over draws: their mean and the range that holds 95% of them."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"mean {self.mean:.3f} of {self.n}, 95% of them in {self.low:.3f}..{self.high:.3f}"


def random_probes(probe: Probe, train: Data, test: Data, draws: int, seed: int = 0) -> Spread:
    """Accuracies of random directions in the probe's own space, their thresholds at the mean of the training rows
    and their signs settled as the probe's, by the training labels where it has one."""
    w = random_units(draws, len(probe.direction), seed, test.y.device)
    seen, asked = _read(probe, train), _read(probe, test)
    threshold = seen.mean(0) @ w.T
    right = ((asked @ w.T > threshold) == test.y[:, None]).double().mean(0)
    if probe.sign == "unsettled":
        return spread(torch.maximum(right, 1 - right))
    known = ((seen @ w.T > threshold) == train.y[:, None]).double().mean(0)
    return spread(torch.where(known < 0.5, 1 - right, right))


def fit_with_shuffled(config: Any, train: Data, permutations: int, seed: int = 0) -> tuple[Probe, list[Probe]]:
    """The probe, and the same method under so many shufflings of the training labels, in one go."""
    labels = torch.cat([train.y.long()[None], shufflings(train.y, permutations, seed)])
    probe, *shuffled = fit_labellings(config, train, labels, seed)
    return probe, shuffled


def shuffled_labels(probe: Probe, shuffled: Sequence[Probe], test: Data, seed: int = 0) -> Spread:
    """Accuracies of the probes fitted on shuffled labels. One whose sign is unsettled has looked at no label: for it
    the labels that it is measured against are shuffled."""
    if probe.sign == "unsettled":
        orders = shufflings(test.y, len(shuffled), seed)
        return spread(torch.stack([probe.right(test.relabelled(y)).double().mean() for y in orders]))
    return spread(torch.stack([other.right(test).double().mean() for other in shuffled]))


def shufflings(y: Tensor, n: int, seed: int) -> Int64[Tensor, "shuffling n"]:
    """n random orders of the labels."""
    drawn = generator(seed, "permuted labels")
    return torch.stack([y[torch.randperm(len(y), generator=drawn).to(y.device)] for _ in range(n)]).long()


def spread(accuracies: Float64[Tensor, "draw"]) -> Spread:
    low, high = torch.quantile(
        accuracies, torch.tensor([0.025, 0.975], dtype=accuracies.dtype, device=accuracies.device)
    ).tolist()
    return Spread(float(accuracies.mean()), low, high, len(accuracies))


def _read(probe: Probe, data: Data) -> Float64[Tensor, "n d"]:
    if is_transductive(probe.normalisation):
        sides = normalised(data.sides, *statistics(data.sides, probe.normalisation))
    else:
        sides = normalised(data.sides, probe.shift.to(data.y.device), probe.scale.to(data.y.device))
    return sides[1] - sides[0] if isinstance(data, Contrast) else sides[0]
