"""Activations that are in memory, as a source of batches for the trainer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.core import fingerprints
from monosema.core.seeding import generator


@dataclass(frozen=True)
class RowBatch:
    """A batch as the trainer takes it."""

    activations: dict[str, Float[Tensor, "row width"]]
    documents: Int64[Tensor, "row"]
    positions: Int64[Tensor, "row"]


@final
@dataclass(frozen=True)
class Rows:
    """Rows of several sites, drawn at random again and again."""

    activations: Mapping[str, Float[Tensor, "row width"]]

    @property
    def widths(self) -> Mapping[str, int]:
        return {site: x.shape[1] for site, x in self.activations.items()}

    @property
    def n_rows(self) -> int:
        return len(next(iter(self.activations.values())))

    @property
    def fingerprint(self) -> str:
        return fingerprints.of_tensors(dict(self.activations))

    def batches(self, batch_size: int, seed: int, start: int = 0) -> Iterator[RowBatch]:
        """Endless batches from batch `start` on. The rows are numbered as documents of one token."""
        step = start
        while True:
            picks = torch.randint(self.n_rows, (batch_size,), generator=generator(seed, "states", step))
            yield RowBatch({site: x[picks] for site, x in self.activations.items()}, picks, torch.zeros_like(picks))
            step += 1
