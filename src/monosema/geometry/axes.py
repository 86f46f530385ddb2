"""A matrix of embeddings in its own principal axes, with its mean taken off, whitened, or made anew by chance.

    rows [token, d] --principal--> Principal: coordinates, variances  --> centred, whitened, gaussian_like

Everything else is computed on coordinates. An axis points to where its scores are skewed, so that rows that were turned
have the same coordinates as before: no number depends on the basis, drawn directions and Gaussian controls included.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from monosema.core.errors import DataError

FLAT = 1e-12
"""An axis with less than this share of the largest variance has none."""


@dataclass(frozen=True, eq=False)
class Principal:
    """coordinates   of the rows, their mean included, along the principal axes
    axes           columns, the direction of the most variance first
    variances      along each, falling
    """

    coordinates: Float64[Tensor, "token d"]
    axes: Float64[Tensor, "d d"]
    variances: Float64[Tensor, "d"]

    @property
    def mean(self) -> Float64[Tensor, "d"]:
        """The mean row, in coordinates."""
        return self.coordinates.mean(0)

    @property
    def dimension(self) -> float:
        """The participation ratio of the spectrum: d when all variances are equal, 1 when one is all."""
        return float(self.variances.sum().square() / self.variances.square().sum())

    @property
    def rank(self) -> int:
        """Axes along which anything varies."""
        return int((self.variances > FLAT * self.variances[0]).sum())


def principal(rows: Float[Tensor, "token d"]) -> Principal:
    """The rows in their principal axes, in float64.

    Raises DataError: a number that is not finite, fewer than 3 rows, rows that are all the same.
    """
    if not bool(torch.isfinite(rows).all()):
        bad = int((~torch.isfinite(rows).all(1)).nonzero()[0])
        raise DataError(f"row {bad} of the matrix holds a number that is not finite: the model is broken")
    if len(rows) < 3:
        raise DataError(f"{len(rows)} tokens are too few for a geometry: give a matrix with a row for every token")
    X = rows.detach().to("cpu", torch.float64)
    centre = X - X.mean(0)
    variances, axes = torch.linalg.eigh(centre.T @ centre / len(X))
    if float(variances[-1]) <= 0:
        raise DataError("all rows of the matrix are the same: nothing can be told apart")
    axes = axes.flip(1) * skewed_to(centre @ axes.flip(1))
    return Principal(X @ axes, axes, variances.flip(0).clamp(min=0))


def skewed_to(scores: Float64[Tensor, "token axis"]) -> Float64[Tensor, "axis"]:
    """1 or -1 for each axis, so that times it the longer tail of the scores is on the side of large numbers."""
    return torch.where(scores.pow(3).sum(0) >= 0, 1.0, -1.0).double()


def centred(found: Principal) -> Float64[Tensor, "token d"]:
    """The coordinates less their mean."""
    return found.coordinates - found.mean


def whiten(found: Principal, centred_rows: Float64[Tensor, "row d"]) -> Float64[Tensor, "row d"]:
    """Coordinates at variance 1 along every axis along which the rows of `found` vary; 0 along the others."""
    there = found.variances > FLAT * found.variances[0]
    return centred_rows * torch.where(there, torch.where(there, found.variances, 1.0).rsqrt(), 0.0)


def whitened(found: Principal) -> Float64[Tensor, "token d"]:
    """Centred, and of covariance 1."""
    return whiten(found, centred(found))


def gaussian_like(found: Principal, generator: torch.Generator) -> Float64[Tensor, "token d"]:
    """As many Gaussian rows of the same mean and covariance, in the same coordinates."""
    z = torch.randn(found.coordinates.shape, generator=generator, dtype=torch.float64)
    return z * found.variances.sqrt() + found.mean


def redrawn(rows: Float64[Tensor, "token d"], generator: torch.Generator) -> Float64[Tensor, "token d"]:
    """Rows of the same shape from one normal of the entries' own mean and deviation: nothing learnt in them."""
    z = torch.randn(rows.shape, generator=generator, dtype=torch.float64)
    return z * rows.std() + rows.mean()


def unit(rows: Float64[Tensor, "token d"]) -> Float64[Tensor, "token d"]:
    """Every row at norm 1; a row of zeros stays."""
    return torch.nn.functional.normalize(rows, dim=1, eps=torch.finfo(torch.float64).tiny)


def dimension(rows: Float64[Tensor, "token d"]) -> float:
    """`Principal.dimension` of the rows, without their axes: (tr C)^2 / tr C^2 for their covariance C."""
    centre = rows - rows.mean(0)
    C = centre.T @ centre / len(rows)
    return float(C.trace().square() / C.square().sum())


def mean_cosine(rows: Float64[Tensor, "token d"]) -> float:
    """Of all pairs of different rows that are not 0."""
    units = unit(rows[rows.any(1)])
    n = len(units)
    return float((units.sum(0).square().sum() - n) / (n * (n - 1)))
