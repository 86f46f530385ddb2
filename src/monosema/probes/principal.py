"""Directions of most variance, of one kind or another: CRC, VINC, PCA."""

import torch
from jaxtyping import Float64
from torch import Tensor

from monosema.core.errors import DataError
from monosema.probes.data import Groups
from monosema.probes.rows import Fitted, Rows
from monosema.probes.settings import CRCConfig, PCAConfig, VINCConfig


def fit_crc(config: CRCConfig, rows: Rows, labels: Tensor, seed: int) -> list[Fitted]:
    """The top right singular vector of the differences."""
    del config, labels, seed
    return [Fitted(top_direction(rows.each), 0.0)]


def fit_pca(config: PCAConfig, rows: Rows, labels: Tensor, seed: int) -> list[Fitted]:
    """The top right singular vector of the centred rows, sides stacked. The threshold is at the mean."""
    del config, labels, seed
    centred = rows.sides - rows.sides.mean(1, keepdim=True)
    w = top_direction(centred.flatten(0, 1))
    return [Fitted(w, -float(rows.each.mean(0) @ w))]


def fit_vinc(config: VINCConfig, rows: Rows, labels: Tensor, seed: int) -> list[Fitted]:
    """The top eigenvector of variance * Var - invariance * Inv - negative * NegCov."""
    del seed
    at, counts = _statements(rows.groups if config.paraphrases else (), labels[0])
    d = rows.sides.shape[2]
    sums = torch.zeros(2, len(counts), d, dtype=torch.float64, device=rows.sides.device)
    means = sums.index_add_(1, at.to(sums.device), rows.sides) / counts.to(sums)[:, None]
    within = rows.sides - means[:, at.to(sums.device)]
    centred = means - means.mean(1, keepdim=True)
    var = sum(side.T @ side for side in centred) / (2 * len(counts))
    inv = sum(side.T @ side for side in within) / (2 * len(at))
    cross = centred[0].T @ centred[1] / len(counts)
    A = config.variance * var - config.invariance * inv - config.negative * (cross + cross.T) / 2
    w = torch.linalg.eigh(A).eigenvectors[:, -1]
    return [Fitted(w, 0.0)]


def top_direction(x: Float64[Tensor, "n d"]) -> Float64[Tensor, "d"]:
    """The top right singular vector, by the smaller of the two Gram matrices."""
    n, d = x.shape
    if n < d:
        u = torch.linalg.eigh(x @ x.T).eigenvectors[:, -1]
        w = x.T @ u
        return w / w.norm()
    return torch.linalg.eigh(x.T @ x).eigenvectors[:, -1]


def _statements(groups: Groups, y: Tensor) -> tuple[Tensor, Tensor]:
    """The number of the statement that each row paraphrases, and how many rows each has."""
    names = groups or tuple(str(i) for i in range(len(y)))
    numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
    at = torch.tensor([numbers[name] for name in names])
    counts = torch.bincount(at)
    mixed = torch.bincount(at, y.cpu().double()) % counts.double()
    if groups and mixed.any():
        name = list(numbers)[int(mixed.nonzero()[0])]
        raise DataError(
            f"group '{name}' holds rows of both labels, which are no paraphrases of one statement: group by statement, "
            "or fit vinc without `paraphrases`"
        )
    return at, counts
