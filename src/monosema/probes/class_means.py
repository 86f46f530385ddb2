"""Directions from the means of the two classes: mass-mean, with and without the tilt, and LDA.

    d = mean of class 1 - mean of class 0        w = d, or Sigma_w^-1 d with Sigma_w the pooled covariance within

The threshold is halfway between the means along w; LDA moves it by the log of the classes' shares. It is linear
algebra that Sigma_total^-1 d is parallel to Sigma_w^-1 d.
"""

import torch
from jaxtyping import Float64
from torch import Tensor

from monosema.probes.rows import Fitted, Rows
from monosema.probes.settings import LDAConfig, MassMeanConfig


def fit_mass_mean(config: MassMeanConfig, rows: Rows, labels: Tensor, seed: int) -> list[Fitted]:
    del seed
    return [_between(rows.each, y, None if not config.tilt else 0.0, prior=False) for y in labels]


def fit_lda(config: LDAConfig, rows: Rows, labels: Tensor, seed: int) -> list[Fitted]:
    del seed
    return [_between(rows.each, y, config.shrinkage, prior=True) for y in labels]


def mean_difference(x: Float64[Tensor, "n d"], y: Tensor) -> Float64[Tensor, "d"]:
    """The mean of class 1 less that of class 0."""
    return x[y == 1].mean(0) - x[y == 0].mean(0)


def within_covariance(x: Float64[Tensor, "n d"], y: Tensor) -> Float64[Tensor, "d d"]:
    """The pooled covariance within the classes, divided by n."""
    parts = [x[y == label] for label in (0, 1)]
    centred = torch.cat([part - part.mean(0) for part in parts])
    return centred.T @ centred / len(x)


def _between(x: Tensor, y: Tensor, shrinkage: float | None, *, prior: bool) -> Fitted:
    means = x[y == 0].mean(0), x[y == 1].mean(0)
    w = means[1] - means[0]
    if shrinkage is not None:
        w = _solved(within_covariance(x, y), w, shrinkage)
    bias = -float(w @ (means[0] + means[1])) / 2
    if prior:
        share = y.double().mean()
        bias += float(torch.log(share / (1 - share)))
    return Fitted(w, bias)


def _solved(sigma: Tensor, d: Tensor, shrinkage: float) -> Tensor:
    """(Sigma shrunk)^-1 d; where Sigma has no inverse, its pseudo-inverse times d."""
    n = len(sigma)
    sigma = (1 - shrinkage) * sigma + shrinkage * sigma.trace() / n * torch.eye(n, dtype=d.dtype, device=d.device)
    values, vectors = torch.linalg.eigh(sigma)
    kept = values > values[-1] * n * torch.finfo(values.dtype).eps
    return vectors[:, kept] @ ((vectors[:, kept].T @ d) / values[kept])
