"""concept-erasure: `LeaceFitter` in float32. settings: none; the shrinkage of its covariance is turned off, so that it
estimates what the others do. The label is one column, as its README gives it."""

import torch
from concept_erasure import LeaceFitter
from torch import Tensor

from benchmarks.workers.erasing import Batches, serve_fits


def fit(batches: Batches, d: int) -> Tensor:
    fitter = LeaceFitter(d, 1, dtype=torch.float32, shrinkage=False)
    for x, z in batches():
        fitter.update(x, z)
    return fitter.eraser.P


if __name__ == "__main__":
    serve_fits(fit)
