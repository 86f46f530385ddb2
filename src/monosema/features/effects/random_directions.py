"""The control of an effect: a direction that nobody looked for, in the place of a feature's own."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.seeding import generator


def random_like(rows: Float[Tensor, "pair d"], features: Sequence[int], seed: int) -> Float[Tensor, "pair d"]:
    """A random direction of each row's norm, the same wherever a feature is met."""
    drawn = torch.stack([torch.randn(rows.shape[1], generator=generator(seed, "direction", f)) for f in features])
    return drawn / drawn.norm(dim=1, keepdim=True) * rows.norm(dim=1, keepdim=True)
