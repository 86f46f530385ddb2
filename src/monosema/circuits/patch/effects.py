"""What patching did, as a table: a row for every group of places, a column for every pair.

    effect = (mean metric when patched - mean corrupted) / (mean clean - mean corrupted)      means over pairs

0: as the corrupted prompt; 1: as the clean one. Below 0 and above 1 are possible, and shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.errors import DataError
from monosema.core.findings import bootstrap
from monosema.core.seeding import generator

SAME = 1e-9
"""A metric that differs by less than this share of its size is the same on both prompts."""


@dataclass(frozen=True)
class Effects:
    """values [group, pair], beside the same metric on both prompts; `names` say what each group is.

    Raises DataError when the metric does not tell the prompts apart.
    """

    names: tuple[str, ...]
    values: Float[Tensor, "group pair"]
    clean: Float[Tensor, "pair"]
    corrupted: Float[Tensor, "pair"]
    metric: str

    def __post_init__(self) -> None:
        clean, corrupted = float(self.clean.mean()), float(self.corrupted.mean())
        if abs(clean - corrupted) <= SAME * max(abs(clean), abs(corrupted), 1e-30):
            raise DataError(
                f"the {self.metric} is {clean:.4g} on the clean prompts and on the corrupted ones: nothing tells them "
                "apart, so no effect can be given as a share. Choose other prompts or answers"
            )

    def __len__(self) -> int:
        return len(self.names)

    @property
    def share(self) -> Float[Tensor, "group"]:
        """Each group's effect."""
        low = self.corrupted.mean()
        return (self.values.mean(1) - low) / (self.clean.mean() - low)

    def interval(self, group: int, seed: int = 0) -> tuple[float, float]:
        """The 95% interval of a group's effect over pairs; NaN with one pair."""
        terms = torch.stack([self.values[group] - self.corrupted, self.clean - self.corrupted], 1)
        return bootstrap(terms, lambda s: s[..., 0] / s[..., 1], generator(seed, "effect"))[1:]


@dataclass(frozen=True)
class Agreement:
    """How far an estimate of effects is from the effects.

    correlation   Pearson's; NaN when either does not vary
    max_error     the largest difference of two effects; mean_error: the mean size
    worst         the groups that differ most: name, exact effect, estimate
    """

    correlation: float
    max_error: float
    mean_error: float
    worst: tuple[tuple[str, float, float], ...]


def agreement(estimated: Effects, exact: Effects, n_worst: int = 5) -> Agreement:
    """Of two tables of the same groups. Raises DataError when they are not."""
    if estimated.names != exact.names:
        raise DataError("the estimates are of other places than the effects: give both the same groups")
    x, y = estimated.share, exact.share
    error = (x - y).abs()
    worst = error.argsort(descending=True, stable=True)[:n_worst].tolist()
    rows = tuple((exact.names[i], float(y[i]), float(x[i])) for i in worst)
    return Agreement(correlation(x, y), float(error.max()), float(error.mean()), rows)


def correlation(x: Float[Tensor, "n"], y: Float[Tensor, "n"]) -> float:
    """Pearson's; NaN when either does not vary."""
    x, y = x - x.mean(), y - y.mean()
    size = float(x.norm() * y.norm())
    return float(x @ y) / size if size > 0 else float("nan")


def named(groups: Sequence[Sequence[object]]) -> tuple[str, ...]:
    """A name for each group: its places, joined."""
    return tuple(" + ".join(map(str, group)) or "nothing" for group in groups)
