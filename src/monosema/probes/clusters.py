"""k-means with two clusters: the direction between the means of the two, the threshold halfway."""

import torch
from jaxtyping import Float64
from torch import Tensor

from monosema.core.seeding import generator
from monosema.probes.rows import Fitted, Rows
from monosema.probes.settings import KMeansConfig


def fit_kmeans(config: KMeansConfig, rows: Rows, labels: Tensor, seed: int) -> list[Fitted]:
    """The restart with the least spread: mean squared distance of a row to the mean of its cluster."""
    del labels
    x, drawn = rows.each, generator(seed, "kmeans")
    picks = torch.stack([torch.randperm(len(x), generator=drawn)[:2] for _ in range(config.restarts)])
    centres, spread = lloyd(x, x[picks.to(x.device)], config.steps)
    best = int(spread.argmin())
    low, high = centres[best]
    w = high - low
    return [Fitted(w, -float(w @ (low + high)) / 2, float(spread[best]))]


def lloyd(
    x: Float64[Tensor, "n d"], start: Float64[Tensor, "restart 2 d"], steps: int
) -> tuple[Float64[Tensor, "restart 2 d"], Float64[Tensor, " restart"]]:
    """The means of both clusters and the spread of each restart, when no row changes its cluster any more, or after
    `steps`. A cluster left without rows keeps its mean."""
    centres, squares = start.clone(), x.square().sum(1)
    ones = torch.ones(len(x), dtype=x.dtype, device=x.device)
    before = None
    for _ in range(steps):
        w = centres[:, 1] - centres[:, 0]
        middle = (centres.square().sum(2) @ torch.tensor([-0.5, 0.5], dtype=x.dtype, device=x.device))[:, None]
        second = w @ x.T > middle
        if before is not None and torch.equal(second, before):
            break
        before = second
        picks = torch.stack([~second, second], 1).to(x.dtype)
        counts = picks @ ones
        centres = torch.where(counts[..., None] > 0, picks @ x / counts.clamp_min(1)[..., None], centres)
    distances = squares - 2 * centres @ x.T + centres.square().sum(2, keepdim=True)
    return centres, distances.amin(1).mean(1)
