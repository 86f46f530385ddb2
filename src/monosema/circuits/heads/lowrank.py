"""A matrix of low rank as its two factors: never multiplied out, unless asked.

M = left right     left [d_in, rank], right [rank, d_out], rank << d_in, d_out
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float, Int64
from torch import Tensor

from monosema.core.errors import DataError


@dataclass(frozen=True)
class LowRank:
    """left @ right. `x @ M` is what a row x becomes."""

    left: Float[Tensor, "d_in rank"]
    right: Float[Tensor, "rank d_out"]

    @property
    def shape(self) -> tuple[int, int]:
        return self.left.shape[0], self.right.shape[1]

    @property
    def transposed(self) -> "LowRank":
        return LowRank(self.right.T, self.left.T)

    def dense(self) -> Float[Tensor, "d_in d_out"]:
        """The matrix itself."""
        return self.left @ self.right

    def norm(self) -> float:
        """Frobenius."""
        return float(torch.linalg.norm(self._core()))

    def singular_values(self) -> Float[Tensor, "values"]:
        """Falling; zeros beyond the rank are left out."""
        return torch.linalg.svdvals(self._core())

    def eigenvalues(self) -> Complex[Tensor, "rank"]:
        """Those of the square matrix that are not zero by its rank. Raises DataError when it is not square."""
        if self.shape[0] != self.shape[1]:
            raise DataError(f"a matrix of {self.shape[0]} x {self.shape[1]} has no eigenvalues: it must be square")
        return torch.linalg.eigvals(self.right @ self.left)

    def positive_share(self) -> float:
        """sum of eigenvalues / sum of their sizes, in [-1, 1]: 1 where all are positive, so that a token's own row
        gains most by it (Elhage et al. 2021, "copying"); about 0 for a random matrix; 0 for a zero one."""
        values = self.eigenvalues()
        size = float(values.abs().sum())
        return float(values.real.sum()) / size if size else 0.0

    def rows(self, step: int = 256) -> Iterator[tuple[int, Float[Tensor, "row d_out"]]]:
        """(number of its first row, some rows) of the matrix, from the top."""
        for start in range(0, self.shape[0], step):
            yield start, self.left[start : start + step] @ self.right

    def strongest(self, k: int, step: int = 256) -> tuple[Int64[Tensor, "k 2"], Float[Tensor, "k"]]:
        """The `k` largest entries, the largest first: (row, column) and value. Rows are streamed."""
        places, values = torch.empty(0, 2, dtype=torch.int64), self.left.new_empty(0)
        for start, rows in self.rows(step):
            top = rows.flatten().topk(min(k, rows.numel()))
            at = torch.stack([start + top.indices // rows.shape[1], top.indices % rows.shape[1]], 1)
            values, places = torch.cat([values, top.values]), torch.cat([places.to(at), at])
            best = values.topk(min(k, len(values)))
            values, places = best.values, places[best.indices]
        return places, values

    def _core(self) -> Float[Tensor, "left_rank right_rank"]:
        """A matrix of the same singular values."""
        return triangle(self.left) @ triangle(self.right.T).T


def triangle(x: Float[Tensor, "*more d rank"]) -> Float[Tensor, "*more least rank"]:
    """R of the decomposition x = Q R: what `x` is but for a rotation of its rows."""
    return torch.linalg.qr(x, mode="r").R
