"""A plain reference in numpy: a pass for the means, a pass for the covariances (products in float32, sums in float64),
and the paper's formula with square roots."""

import numpy as np
import torch
from torch import Tensor

from benchmarks.workers.erasing import Batches, serve_fits


def fit(batches: Batches, d: int) -> Tensor:
    n, total, total_z = 0, np.zeros(d), 0.0
    for x, z in batches():
        n, total, total_z = n + len(x), total + x.numpy().sum(0, dtype=np.float64), total_z + float(z.sum())
    mean, mean_z = total / n, total_z / n
    S, S_xz = np.zeros((d, d)), np.zeros((d, 1))
    for x, z in batches():
        centred = x.numpy() - mean.astype(np.float32)
        S += centred.T @ centred
        S_xz += centred.T @ (z.numpy() - mean_z).astype(np.float32)[:, None]
    values, vectors = np.linalg.eigh(S / n)
    root, inverse = ((vectors * values**p) @ vectors.T for p in (0.5, -0.5))
    U = np.linalg.svd(inverse @ S_xz / n, full_matrices=False)[0]
    return torch.from_numpy(np.eye(d) - root @ U @ U.T @ inverse)


if __name__ == "__main__":
    serve_fits(fit)
