"""What a method's fit is given, and what it gives back."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from monosema.probes.data import Groups


@dataclass(frozen=True, eq=False)
class Rows:
    """Normalised activations: one side for statements, two for pairs."""

    sides: Float64[Tensor, "side n d"]
    groups: Groups = ()

    @property
    def paired(self) -> bool:
        return len(self.sides) == 2

    @property
    def each(self) -> Float64[Tensor, "n d"]:
        """A row for every label: the statement, or the difference x1 - x0 of the pair."""
        return self.sides[1] - self.sides[0] if self.paired else self.sides[0]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A direction in the normalised space and a bias; loss: of what was minimised, else NaN."""

    direction: Float64[Tensor, "d"]
    bias: float
    loss: float = float("nan")


def in_span(x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n r"], Float[Tensor, "d r"] | None]:
    """Rows in an orthonormal basis of their span, and the basis; as they are, and None, when n >= d."""
    if len(x) >= x.shape[1]:
        return x, None
    u, s, vh = torch.linalg.svd(x, full_matrices=False)
    rank = int((s > s[0] * max(x.shape) * torch.finfo(x.dtype).eps).sum())
    return u[:, :rank] * s[:rank], vh[:rank].T
