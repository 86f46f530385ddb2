"""Probes that are not linear, to see what erasure leaves: a small MLP from several seeds, and nearest neighbours.

Neighbours take rows standardised by the training rows' mean and deviation, coordinate by coordinate. The MLP takes them
whitened: on activations whose coordinates are correlated it otherwise finds little of what a linear probe finds, and
that it finds nothing after an erasure would then say nothing.
"""

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor
from torch.nn import functional

from monosema.core.seeding import generator

WEIGHT_DECAY = 1e-3
NARROW = 1e-6
LOOK_EVERY = 10
"""Steps between two looks at the rows that were kept."""
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


def whitened(
    train: Float[Tensor, "n d"], test: Float[Tensor, "m d"]
) -> tuple[Float32[Tensor, "n d"], Float32[Tensor, "m d"]]:
    """Both in the principal axes of the standardised training rows, each of variance 1; axes narrower than `NARROW` of
    the widest are left as narrow, in proportion."""
    near, far = standardised(train, test)
    values, axes = torch.linalg.eigh(near.double().T @ near.double() / len(near))
    scaled = (axes / values.clamp(min=NARROW * float(values[-1]) + 1e-30).sqrt()).float()
    return near @ scaled, far @ scaled


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
    cross-entropy, weight decay `WEIGHT_DECAY`. A fifth of the training rows is kept to choose when to stop."""
    near, far = whitened(train, test)
    order = torch.randperm(len(near), generator=generator(seeds[0], "mlp rows"))
    kept, fitted = order[: len(order) // 5], order[len(order) // 5 :]
    draws = [generator(seed, "mlp probe") for seed in seeds]
    d, k, n_seeds = near.shape[1], int(z.max()) + 1, len(seeds)
    shapes = ((d, hidden), (2 / d) ** 0.5), ((hidden, k), hidden**-0.5)
    drawn = [torch.stack([torch.randn(shape, generator=draw) * gain for draw in draws]) for shape, gain in shapes]
    W1, W2 = (part.requires_grad_() for part in drawn)
    b1, b2 = (torch.zeros(n_seeds, 1, width, requires_grad=True) for width in (hidden, k))

    def scores(rows: Tensor) -> Tensor:
        return torch.baddbmm(b2, torch.baddbmm(b1, rows.expand(n_seeds, -1, -1), W1).relu(), W2)

    def losses(rows: Tensor) -> Tensor:
        """The mean cross-entropy on the rows of these numbers, for each seed."""
        each = functional.cross_entropy(scores(near[rows]).flatten(0, 1), z[rows].repeat(n_seeds), reduction="none")
        return each.view(n_seeds, -1).mean(1)

    optimiser = torch.optim.AdamW([W1, b1, W2, b2], lr=lr, weight_decay=WEIGHT_DECAY)
    least, said = torch.full((n_seeds,), torch.inf), torch.zeros(n_seeds, len(far), dtype=torch.int64)
    for step in range(1, steps + 1):
        with torch.enable_grad():
            optimiser.zero_grad()
            losses(fitted).sum().backward()
            optimiser.step()
        if step % LOOK_EVERY == 0 or step == steps:
            with torch.no_grad():
                now = losses(kept)
                better = now < least
                least = torch.where(better, now, least)
                said = torch.where(better[:, None], scores(far).argmax(-1), said)
    return said
