"""Erasers in closed form, from moments alone: LEACE, its orthogonal variant, mean difference, oracle.

    G [d, r]    the cross-covariance of x with the labels, in canonical coordinates: cov_xz T, T^T cov_zz T = 1
    leace       x' = mean + P (x - mean),   P = 1 - G (G^T M G)^-1 G^T M,   M = cov_xx^-1
    orth        the same with M = 1: P = 1 - Q Q^T, Q an orthonormal basis of the columns of G
    mean_difference   x' = x - Q Q^T x; with two classes Q = u = d/|d|, d the difference of the class means
    oracle      x' = x - cov_xz cov_zz^-1 (z - mean z), told the labels when it is applied

P of LEACE is that of Belrose et al. 2023, 1 - S^1/2 U U^T S^-1/2, without its square roots; with two classes G is
parallel to d and P = 1 - d d^T S^-1 / (d^T S^-1 d). For any positive M it leaves cov(x', z) = 0; the inverse of cov_xx
makes it the least change in mean square.

What is erased is decided by canonical correlations rho, the square roots of the eigenvalues of G^T M G: between 0 and
1, whatever the units of x and the frequency of the labels. Departure: the reference implementation compares singular
values of S^-1/2 cov_xz with .01 instead, which for a balanced binary label are a quarter of the Mahalanobis gap, so
that a gap under .04 is left in place without a word.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor

from monosema.core.errors import DataError, MismatchError
from monosema.models.model import Edit
from monosema.probes.erasers.configs import ClosedConfig, LeaceConfig, MeanDifferenceConfig, OrthConfig
from monosema.probes.erasers.eraser import Eraser, orthogonal
from monosema.probes.erasers.moments import JointMoments

SAME_LABELS = 1e-10
"""Eigenvalues of the labels' correlation matrix below this say that a column is a combination of others."""
WELL_CONDITIONED = 1e-6
"""A smallest squared pivot of Cholesky's, of a correlation matrix, above which its inverse is used as it is."""


def closed(moments: JointMoments, config: ClosedConfig) -> Eraser:
    """The eraser that `config` asks for. Raises DataError when every row has the same label."""
    T = _canonical(moments)
    C = moments.cov_xz @ T
    MC = inverse_times(moments.cov_xx, C, max(config.floor, moments.rounding))
    squares, E = torch.linalg.eigh(C.T @ MC)
    rho = squares.clamp(min=0).sqrt().flip(0)
    keep = rho > config.tolerance
    G, MG, rho = (C @ E.flip(1))[:, keep], (MC @ E.flip(1))[:, keep], rho[keep]
    strengths = tuple(min(1.0, value) for value in rho.tolist())
    mean = moments.mean_x
    match config:
        case LeaceConfig():
            return Eraser(config.method, mean, G / rho, MG / rho, strengths)
        case OrthConfig():
            return orthogonal(config.method, mean, G, strengths)
        case MeanDifferenceConfig():
            return orthogonal(config.method, torch.zeros_like(mean), G, strengths)


def inverse_times(cov: Float64[Tensor, "d d"], C: Float64[Tensor, "d r"], floor: float) -> Float64[Tensor, "d r"]:
    """cov^-1 C, where eigenvalues of the correlation matrix that are below `floor` count as `floor`."""
    scale = cov.diagonal().sqrt()
    scale = torch.where(scale > 0, scale, 1.0)
    R, scaled = cov / scale / scale[:, None], C / scale[:, None]
    L, info = torch.linalg.cholesky_ex(R)
    if int(info) == 0 and float(L.diagonal().min()) ** 2 > WELL_CONDITIONED:
        return torch.cholesky_solve(scaled, L) / scale[:, None]
    values, vectors = torch.linalg.eigh(R)
    return vectors @ ((vectors.T @ scaled) / values.clamp(min=floor)[:, None]) / scale[:, None]


def _canonical(moments: JointMoments) -> Float64[Tensor, "k r"]:
    """T: columns of labels made uncorrelated, of variance 1; as many as are linearly independent."""
    scale = moments.cov_zz.diagonal().clamp(min=0).sqrt()
    varies = scale > SAME_LABELS * (1 + moments.mean_z.abs())
    if not bool(varies.any()):
        raise DataError("every row has the same label: an eraser needs rows of at least two classes")
    scale = torch.where(varies, scale, 1.0)
    values, vectors = torch.linalg.eigh(moments.cov_zz / scale / scale[:, None])
    keep = values > SAME_LABELS * values[-1]
    keep &= vectors[~varies].square().sum(0) < 0.5
    return vectors[:, keep] / values[keep].sqrt() / scale[:, None]


@final
@dataclass(frozen=True, eq=False)
class OracleEraser:
    """x - cov_xz cov_zz^-1 (z - mean z): the least change that leaves x uncorrelated with z, for who is told z.

    Its price is the least that any eraser can pay, and it can be used only where labels are known.
    """

    mean_z: Float64[Tensor, "k"]
    slopes: Float64[Tensor, "k d"]

    def __call__(
        self, x: Float[Tensor, "*batch d"], z: Shaped[Tensor, "*batch"] | Shaped[Tensor, "*batch k"]
    ) -> Float[Tensor, "*batch d"]:
        """The rows less what their labels foretell: class numbers, or k numbers a row."""
        if x.shape[-1] != self.slopes.shape[1]:
            raise MismatchError(f"rows have {x.shape[-1]} numbers, the eraser was fitted on {self.slopes.shape[1]}")
        if z.ndim < x.ndim:
            z = torch.nn.functional.one_hot(z.long(), len(self.mean_z))
        wide = torch.promote_types(x.dtype, torch.float32)
        foretold = (z.to(x.device, torch.float64) - self.mean_z.to(x.device)) @ self.slopes.to(x.device)
        return (x.to(wide) - foretold.to(wide)).to(x.dtype)

    def edit(self, site: str, z: Shaped[Tensor, "batch seq"]) -> Edit:
        """The Edit that erases at every position, given the class of each."""
        return Edit(site, lambda x: self(x.flatten(2), z).view_as(x))


def oracle(moments: JointMoments) -> OracleEraser:
    """The oracle of these moments. Raises DataError when every row has the same label."""
    T = _canonical(moments)
    return OracleEraser(moments.mean_z, T @ (moments.cov_xz @ T).T)
