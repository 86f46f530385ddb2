"""What an eraser is: a projection of low rank about a mean, and nothing else.

    x' = x - ((x - mean) V) U^T        U, V [d, r], V^T U = 1

Applying it twice is applying it once. It never builds a matrix [d, d]: a row costs 4 d r operations.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from monosema.core.errors import MismatchError
from monosema.models.model import Edit

EVERYWHERE = slice(None)
"""Every position of a sequence."""


@final
@dataclass(frozen=True, eq=False)
class Eraser:
    """A fitted eraser: a function of rows that keeps their type and device.

    method      the name of the config that it was fitted by
    strengths   by direction, what was found there: the canonical correlation with the labels (leace, orth,
                mean_difference), the norm of the coefficients (inlp), 0 (random)
    """

    method: str
    mean: Float64[Tensor, "d"]
    U: Float64[Tensor, "d r"]
    V: Float64[Tensor, "d r"]
    strengths: tuple[float, ...]

    def __call__(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """The rows without the concept; half precision is computed in float32. Raises MismatchError on other widths."""
        if x.shape[-1] != self.d:
            raise MismatchError(f"rows have {x.shape[-1]} numbers, the eraser was fitted on {self.d}")
        if self.rank == 0:
            return x
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        mean, U, V = (part.to(wide) for part in (self.mean, self.U, self.V))
        return (wide - ((wide - mean) @ V) @ U.T).to(x.dtype)

    def edit(self, site: str, positions: slice | Sequence[int] = EVERYWHERE) -> Edit:
        """The Edit that erases at `site`, at every position or at `positions` (as Python counts: -1 is the last).

        Where heads have an axis of their own (`attn_z`), rows are the heads laid end to end, as they were harvested.
        """
        places = positions if isinstance(positions, slice) else list(positions)

        def apply(x: Tensor) -> Tensor:
            chosen = x[:, places]
            x[:, places] = self(chosen.flatten(2)).view_as(chosen)
            return x

        return Edit(site, apply)

    @property
    def d(self) -> int:
        """The width of a row."""
        return len(self.mean)

    @property
    def rank(self) -> int:
        """Directions erased; 0 when there was nothing to erase."""
        return self.U.shape[1]

    def matrix(self) -> Float64[Tensor, "d d"]:
        """P = 1 - U V^T, by which x' - mean = P (x - mean): for those who want to look at it."""
        return torch.eye(self.d, dtype=torch.float64) - self.U.cpu() @ self.V.cpu().T

    def __str__(self) -> str:
        if self.rank == 0:
            return f"{self.method}: nothing erased, no label is correlated with the rows beyond rounding"
        return f"{self.method}: {self.rank} of {self.d} directions erased"


def orthogonal(
    method: str, mean: Float64[Tensor, "d"], directions: Float64[Tensor, "d r"], strengths: tuple[float, ...]
) -> Eraser:
    """The eraser of the span of linearly independent `directions`, by orthogonal projection."""
    basis = torch.linalg.qr(directions).Q
    return Eraser(method, mean, basis, basis, strengths)
