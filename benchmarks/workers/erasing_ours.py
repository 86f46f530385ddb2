"""Ours: `probes.EraserFitter`, as it is by default."""

import torch
from torch import Tensor

from benchmarks.workers.erasing import Batches, serve_fits
from monosema.probes.erasers.fitting import EraserFitter


@torch.no_grad()
def fit(batches: Batches, d: int) -> Tensor:
    fitter = EraserFitter(d, 2)
    for x, z in batches():
        fitter.update(x, z)
    return fitter.result().matrix()


if __name__ == "__main__":
    serve_fits(fit)
