"""What is asked of a matrix of token embeddings. No torch in this file."""

from dataclasses import dataclass
from typing import Literal

from monosema.core.config import require_range

Matrix = Literal["embed", "unembed"]


@dataclass(frozen=True)
class GeometryConfig:
    """matrix      the token embedding, or the unembedding
    directions     random directions, uniform on the sphere
    nearest        tokens that are looked at along each
    shuffles       times that the clusters' labels are dealt out anew
    drawn          tokens of each cluster in the pictures
    """

    matrix: Matrix = "embed"
    directions: int = 200
    nearest: int = 10
    shuffles: int = 200
    drawn: int = 30
    seed: int = 0

    def __post_init__(self) -> None:
        require_range("directions", self.directions, 2)
        require_range("nearest", self.nearest, 2)
        require_range("shuffles", self.shuffles, 20)
        require_range("drawn", self.drawn, 1)
