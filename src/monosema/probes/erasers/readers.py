"""Probes that are not linear, to see what erasure leaves: a small MLP from several seeds, and nearest neighbours.

Both take rows standardised by the training rows' mean and deviation, coordinate by coordinate.
"""

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor
from torch.nn import functional

from monosema.core.seeding import generator

WEIGHT_DECAY = 1e-3
AT_ONCE = 1024
"""Rows whose distances to all training rows are held at a time."""


def standardised(
    train: Float[Tensor, "n d"], test: Float[Tensor, "m d"]
) -> tuple[Float32[Tensor, "n d"], Float32[Tensor, "m d"]]:
    """Both less the mean of `train`, over its deviation; a coordinate that does not vary is 0."""
    rows = train.double()
    mean, deviation = rows.mean(0), rows.std(0, correction=0)
    varies = deviation > 1e-6 * (1e-30 + mean.abs() + deviation.max())
    scale = torch.where(varies, 1 / torch.where(varies, deviation, 1.0), 0.0)
    return ((rows - mean) * scale).float(), ((test.double() - mean) * scale).float()


def by_neighbours(
    train: Float[Tensor, "n d"], z: Int64[Tensor, "n"], test: Float[Tensor, "m d"], neighbours: int
) -> Int64[Tensor, "m"]:
    """The commonest class among the nearest training rows (Euclidean); the lower one on a tie."""
    near, far = standardised(train, test)
    labels = functional.one_hot(z)
    count = min(neighbours, len(near))
    votes = [labels[torch.cdist(part, near).topk(count, largest=False).indices].sum(1) for part in far.split(AT_ONCE)]
    return torch.cat(votes).argmax(1)


def by_mlp(
    train: Float[Tensor, "n d"],
    z: Int64[Tensor, "n"],
    test: Float[Tensor, "m d"],
    hidden: int,
    steps: int,
    lr: float,
    seeds: tuple[int, ...],
) -> Int64[Tensor, "seed m"]:
    """Classes by MLPs of one hidden layer (ReLU), one for each seed, all trained at once: full-batch AdamW on the mean
    cross-entropy, weight decay `WEIGHT_DECAY`."""
    near, far = standardised(train, test)
    d, k = near.shape[1], int(z.max()) + 1
    draws = [generator(seed, "mlp probe") for seed in seeds]
    parts = [
        torch.stack([torch.randn(shape, generator=draw) * gain for draw in draws])
        for shape, gain in (((d, hidden), (2 / d) ** 0.5), ((hidden, k), hidden**-0.5))
    ]
    W1, W2 = (part.requires_grad_() for part in parts)
    b1, b2 = (torch.zeros(len(seeds), 1, width, requires_grad=True) for width in (hidden, k))

    def scores(rows: Tensor) -> Tensor:
        return torch.baddbmm(b2, torch.baddbmm(b1, rows.expand(len(seeds), -1, -1), W1).relu(), W2)

    optimiser = torch.optim.AdamW([W1, b1, W2, b2], lr=lr, weight_decay=WEIGHT_DECAY)
    targets = z.repeat(len(seeds))
    with torch.enable_grad():
        for _ in range(steps):
            optimiser.zero_grad()
            loss = functional.cross_entropy(scores(near).flatten(0, 1), targets) * len(seeds)
            loss.backward()
            optimiser.step()
    with torch.no_grad():
        return scores(far).argmax(-1)
