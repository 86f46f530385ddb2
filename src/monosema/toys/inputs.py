"""What toy models read: sparse features, drawn for a stack of models at once.

    x_i = u_i with probability p_i, else 0,  u_i ~ U[0, 1]          (U[-1, 1] when signed)

    [0, 2 c)            correlated pairs: both or neither, with magnitudes of their own
    [2 c, 2 c + 2 a)    anticorrelated pairs: one or the other or neither, each p_i <= 1/2
    the rest            independent

One uniform number serves as switch and magnitude: u < p switches on, and u / p is again uniform. Numbers are hashes of
a counter (SplitMix64, Steele et al. 2014): those of step t are the same in every order of calls, on any threads.
"""

from dataclasses import dataclass, field
from typing import final

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.core.config import require, require_range
from monosema.core.seeding import derive
from monosema.dictionaries.kernels.compiled.threads import share
from monosema.toys.drawing import fill_rows

FEWEST_BITS = 2.0**-24
"""Probabilities below this could not be told from 0 by a draw."""


@final
@dataclass(frozen=True)
class Inputs:
    """The features of every instance of a stack.

    probability   that a feature is on; importance: its weight in the loss
    correlated, anticorrelated    numbers of pairs, from the first feature on
    signed        magnitudes in [-1, 1]
    """

    probability: Float[Tensor, "instance n"]
    importance: Float[Tensor, "instance n"]
    correlated: int = 0
    anticorrelated: int = 0
    signed: bool = False
    _plan: dict[str, Tensor] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        p, n = self.probability, self.probability.shape[1]
        require(bool((p >= FEWEST_BITS).all() and (p <= 1).all()), "probabilities must lie in (0, 1]")
        require(bool((self.importance >= 0).all()), "importances must not be negative")
        for name in ("correlated", "anticorrelated"):
            require_range(name, getattr(self, name), 0, n)
        paired = 2 * (self.correlated + self.anticorrelated)
        require(paired <= n, f"{self.correlated + self.anticorrelated} pairs need {paired} features, there are {n}")
        first = p[:, :paired].reshape(len(p), -1, 2)
        require(bool((first[..., 0] == first[..., 1]).all()), "the two features of a pair must be equally probable")
        rivals = p[:, 2 * self.correlated : paired]
        require(bool((rivals <= 0.5).all()), "anticorrelated features are on with probability 1/2 at most")

    @property
    def n(self) -> int:
        return self.probability.shape[1]

    def __len__(self) -> int:
        return len(self.probability)

    @property
    def independent(self) -> bool:
        return self.correlated == self.anticorrelated == 0

    def draw(self, rows: int, seed: int, step: int) -> Float[Tensor, "instance n row"]:
        """`rows` rows for every instance; the same for the same seed and step. float32."""
        x = torch.empty(len(self), self.n, rows)
        plan = self._drawing_plan()
        arrays = [t.numpy() for t in (plan["switch"], plan["low"], plan["high"], plan["own"], x.view(-1, rows))]
        share(fill_rows, len(self) * self.n, derive(seed, "toy inputs", step), *arrays, self.signed)
        return x

    def _drawing_plan(self) -> dict[str, Tensor]:
        """For every row of draws: the stream that switches it, the interval that means on, whether the magnitude is a
        draw of its own."""
        if not self._plan:
            place = torch.arange(self.n)
            switch, low = place.clone(), torch.zeros_like(self.probability)
            paired = 2 * (self.correlated + self.anticorrelated)
            second = (place < paired) & (place % 2 == 1)
            switch[second] -= 1
            together = second & (place < 2 * self.correlated)
            low[:, second & ~together] = self.probability[:, second & ~together]
            shift: Int64[Tensor, "instance 1"] = torch.arange(len(self))[:, None] * self.n
            self._plan.update(
                switch=(shift + switch).flatten(),
                low=low.flatten().float(),
                high=(low + self.probability).flatten().float(),
                own=together.repeat(len(self)),
            )
        return self._plan


def uniform_inputs(n_instances: int, n: int, probability: float | Tensor, decay: float = 1.0) -> Inputs:
    """Features that are all on with the same probability (a number for each instance, or one for all), of
    importance decay^i."""
    p = torch.as_tensor(probability, dtype=torch.float64).expand(n_instances)[:, None].expand(n_instances, n)
    importance = decay ** torch.arange(n, dtype=torch.float64)
    return Inputs(p.contiguous(), importance.expand(n_instances, n).contiguous())
