"""Means and covariances of rows x and labels z together, from a stream of batches.

    x [n, d]   z [n, k]      S = sum_i ([x_i z_i] - mean) ([x_i z_i] - mean)^T   in float64

Rows are gathered into blocks of 4,096. A block is centred by its own mean and multiplied with itself in
`dtype`, only on and below the diagonal, in strips; blocks are merged in float64 by the update of Chan,
Golub and LeVeque (1983). So a mean that is large against the deviation costs no digits, and the result
does not depend at all on how the stream was cut into batches.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor

from monosema.core.errors import DataError
from monosema.core.precision import float32_products

ROWS = 4096
STRIP = 192
"""Columns of a strip: narrow enough that little is computed above the diagonal, wide enough for a fast product."""


@dataclass(frozen=True)
class JointMoments:
    """Means and population covariances (divided by n) of rows `x` and labels `z`, float64.

    rounding    eigenvalues of the correlation matrix of x up to this may be no more than rounding of the products
    """

    n: int
    mean_x: Float64[Tensor, "d"]
    mean_z: Float64[Tensor, "k"]
    cov_xx: Float64[Tensor, "d d"]
    cov_xz: Float64[Tensor, "d k"]
    cov_zz: Float64[Tensor, "k k"]
    rounding: float = 0.0


@final
class MomentFitter:
    """Takes batches; `result` is the moments of all rows so far, and more may follow.

    dtype   float32: products of float32 accuracy (a covariance is off by about 1e-7 of the two
            deviations' product), at twice the speed or more; float64: as exact as float64 is
    """

    def __init__(self, d: int, k: int, dtype: torch.dtype = torch.float32, device: str = "cpu") -> None:
        self.d, self.k = d, k
        self._block = torch.zeros(ROWS, d + k, dtype=dtype, device=device)
        self._filled = 0
        self._n = 0
        self._mean = torch.zeros(d + k, dtype=torch.float64, device=device)
        self._sums = torch.zeros(d + k, d + k, dtype=torch.float64, device=device)

    def update(self, x: Float[Tensor, "batch d"], z: Shaped[Tensor, "labels"] | Shaped[Tensor, "labels k"]) -> None:
        """Take in rows and their labels: class numbers from 0 to k - 1, or k numbers a row.

        Raises DataError for another width, another number of labels, a label that is no class, and numbers
        that are not finite.
        """
        self._refuse(x, z)
        for start in range(0, len(x), ROWS):
            self._take(x[start : start + ROWS].detach(), z[start : start + ROWS].detach())

    def result(self) -> JointMoments:
        """The moments of every row so far. Raises DataError when there are fewer than two."""
        n, mean, sums = self._merged(self._n, self._mean.clone(), self._sums.clone())
        if n < 2:
            raise DataError(f"{n} rows have no covariance: give at least two")
        cov = (sums.tril() + sums.tril(-1).T) / n
        d = self.d
        rounding = d * torch.finfo(self._block.dtype).eps
        return JointMoments(n, mean[:d], mean[d:], cov[:d, :d], cov[:d, d:], cov[d:, d:], rounding)

    def _refuse(self, x: Tensor, z: Tensor) -> None:
        if x.shape[1] != self.d:
            raise DataError(f"rows have {x.shape[1]} numbers, the fitter was made for {self.d}")
        if len(z) != len(x):
            raise DataError(f"{len(x)} rows came with {len(z)} labels: give one for each row")
        if z.ndim == 2 and z.shape[1] != self.k:
            raise DataError(f"labels have {z.shape[1]} columns, the fitter was made for {self.k}")
        if z.ndim == 1 and len(z):
            if z.is_floating_point() and not bool((z == z.round()).all()):
                raise DataError("labels in one column are class numbers: give [n, 1] for a number that is no class")
            low, high = int(z.min()), int(z.max())
            if low < 0 or high >= self.k:
                wrong = low if low < 0 else high
                raise DataError(f"label {wrong} is none of the {self.k} classes, 0 to {self.k - 1}")

    def _take(self, x: Tensor, z: Tensor) -> None:
        """At most a block of rows: what fits, fold if full, then the rest."""
        while len(x):
            m = min(ROWS - self._filled, len(x))
            place = self._block[self._filled : self._filled + m]
            place[:, : self.d] = x[:m]
            if z.ndim == 2:
                place[:, self.d :] = z[:m]
            else:
                place[:, self.d :] = 0
                place[:, self.d :].scatter_(1, z[:m, None].to(place.device, torch.int64), 1.0)
            self._filled += m
            x, z = x[m:], z[m:]
            if self._filled == ROWS:
                self._n, self._mean, self._sums = self._merged(self._n, self._mean, self._sums)
                self._filled = 0

    def _merged(self, n: int, mean: Tensor, sums: Tensor) -> tuple[int, Tensor, Tensor]:
        """`sums` (changed in place) with the rows that are waiting, which stay as they are."""
        m = self._filled
        if m == 0:
            return n, mean, sums
        block = self._block[:m]
        centre = block.mean(0)
        if not bool(torch.isfinite(centre).all()):
            raise DataError("there are numbers that are not finite among the rows: leave those rows out")
        centred = block - centre
        left = centred.sum(0).double() / m  # what rounding left of the mean
        d = self.d
        with float32_products(block.device.type):
            for low in range(0, d, STRIP):
                high = min(low + STRIP, d)
                sums[low:high, :high] += centred[:, low:high].T @ centred[:, :high]
            sums[d:, :d] += centred[:, d:].T @ centred[:, :d]
        # In float64, because the columns of classes are dependent, and rounding must not make them look otherwise.
        labels = centred[:, d:].double()
        sums[d:, d:] += labels.T @ labels
        delta = centre.double() + left - mean
        sums.addr_(left, left, alpha=-m)
        sums.addr_(delta, delta, alpha=n * m / (n + m))
        return n + m, mean + delta * (m / (n + m)), sums
