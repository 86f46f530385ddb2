"""Rows for dictionaries of which every feature is known: hidden states of toy models, and a small hierarchy.

    x = sum_i a_i d_i        d_i: the columns of a trained W, or orthonormal directions

`Rows` is a source of batches for `dictionaries.train`; its `rows` are those of a world, so that what is measured on
worlds is measured here as well.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.core import fingerprints
from monosema.core.seeding import derive, generator
from monosema.corpus.worlds import ENDLESS, SITE, WorldBatch, WorldRows
from monosema.toys.inputs import Inputs


@final
@dataclass(frozen=True)
class Rows:
    """directions: of the features, of any length. inputs: of one instance. parents: of each feature, -1 for none; a
    child is on only where its parent is, and then with its own probability. binary: magnitudes are 1."""

    directions: Float[Tensor, "n d"]
    inputs: Inputs
    parents: Int64[Tensor, "n"]
    binary: bool = False

    n_rows = ENDLESS

    @property
    def widths(self) -> Mapping[str, int]:
        return {SITE: self.directions.shape[1]}

    @property
    def fingerprint(self) -> str:
        named = {"directions": self.directions, "p": self.inputs.probability, "parents": self.parents}
        return fingerprints.of_tensors({**named, "binary": torch.tensor(self.binary)})

    @cached_property
    def unit(self) -> Float[Tensor, "n d"]:
        return torch.nn.functional.normalize(self.directions, dim=1)

    def magnitudes(self, n: int, *purpose: str | int) -> Float[Tensor, "row n"]:
        """The features of `n` rows; the same for the same purpose."""
        a = self.inputs.draw(n, derive(0, *purpose), 0)[0].T.contiguous()
        if self.binary:
            a = (a > 0).float()
        child = self.parents >= 0
        a[:, child] *= (a[:, self.parents[child]] > 0).float()
        return a

    def rows(self, n: int, *purpose: str | int) -> WorldRows:
        """`n` rows and the features in them."""
        a = self.magnitudes(n, *purpose)
        row, feature = a.nonzero(as_tuple=True)
        offsets = torch.nn.functional.pad(torch.bincount(row, minlength=n).cumsum(0), (1, 0))
        return WorldRows(a @ self.directions, feature, a[row, feature], offsets)

    def batches(self, batch_size: int, seed: int, start: int = 0) -> Iterator[WorldBatch]:
        """Endless batches from batch `start` on."""
        index, step = torch.arange(batch_size), start
        while True:
            x = self.magnitudes(batch_size, "batch", seed, step) @ self.directions
            yield WorldBatch({SITE: x}, index, torch.zeros_like(index))
            step += 1


def orthonormal(n: int, d: int, seed: int) -> Float[Tensor, "n d"]:
    """n random orthonormal directions in d dimensions."""
    drawn = torch.randn(d, n, generator=generator(seed, "orthonormal"), dtype=torch.float64)
    return torch.linalg.qr(drawn).Q.T.float().contiguous()
