"""Activations whose features are known: sparse sums of unit directions around a mean."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from monosema.core.seeding import generator

SITE = "resid_post.0"


@dataclass(frozen=True)
class Rows:
    activations: dict[str, torch.Tensor]
    documents: torch.Tensor
    positions: torch.Tensor


class World:
    """`n` directions in `d` dimensions, about `active` of them on a row; endless, repeatable batches."""

    def __init__(self, n: int = 24, d: int = 12, active: float = 2.0, scale: float = 1.0, offset: float = 0.5):
        self.directions = torch.nn.functional.normalize(torch.randn(n, d, generator=generator(0, "world")), dim=1)
        self.n, self.d, self.active, self.scale, self.offset = n, d, active, scale, offset
        self.widths, self.n_rows, self.fingerprint = {SITE: d}, 4096, f"world {n} {d}"

    def rows(self, batch: int, *purpose: Any) -> torch.Tensor:
        random = generator(0, *purpose)
        fires = torch.rand(batch, self.n, generator=random) < self.active / self.n
        f = fires * (0.5 + torch.rand(batch, self.n, generator=random))
        return self.scale * (f @ self.directions + self.offset)

    def batches(self, batch_size: int, seed: int, start: int = 0) -> Iterator[Rows]:
        step = start
        while True:
            yield self.batch(self.rows(batch_size, seed, step))
            step += 1

    def batch(self, x: torch.Tensor) -> Rows:
        return Rows({SITE: x}, torch.arange(len(x)), torch.zeros(len(x), dtype=torch.int64))


def matched(directions: torch.Tensor, W_dec: torch.Tensor) -> torch.Tensor:
    """For each direction, the cosine of the decoder row nearest to it."""
    return (directions @ torch.nn.functional.normalize(W_dec, dim=1).T).max(1).values
