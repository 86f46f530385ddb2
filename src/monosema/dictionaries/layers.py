"""Features split over layers, as a cross-layer transcoder has them (Lindsey, Ameisen et al. 2025).

Those of layer l read block l of the input, and write block l of the output and later ones:

    4 features, 2 layers, blocks 2 wide      W_enc  x x . .      W_dec  x x x x
                                                    x x . .             x x x x
                                                    . . x x             . . x x
                                                    . . x x             . . x x

Elsewhere both matrices are zero, exactly, from the first weights to the last: gradients are cleared there, so that
neither Adam nor the norm of a row moves them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import final

import torch
from jaxtyping import Float, Int64
from torch import Tensor


@final
@dataclass(frozen=True)
class Layers:
    """Where each layer's features, its block of the input and that of the output begin, and where the last ends."""

    starts: tuple[int, ...]
    ins: tuple[int, ...]
    outs: tuple[int, ...]

    @staticmethod
    def split(n_features: int, widths_in: Sequence[int], widths_out: Sequence[int]) -> "Layers":
        """As many features for each layer as can be, to one."""
        n = len(widths_in)
        starts = tuple(n_features * i // n for i in range(n + 1))
        return Layers(starts, (0, *accumulate(widths_in)), (0, *accumulate(widths_out)))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def features(self, layer: int) -> slice:
        """The rows of a layer's features."""
        return slice(self.starts[layer], self.starts[layer + 1])

    def reads(self, layer: int) -> slice:
        """The columns of W_enc that they read."""
        return slice(self.ins[layer], self.ins[layer + 1])

    def writes(self, layer: int) -> slice:
        """The columns of W_dec that they write."""
        return slice(self.outs[layer], self.outs[-1])

    def shares(self, k: int) -> tuple[int, ...]:
        """`k` split over the layers, to one."""
        n = len(self)
        return tuple(k * (i + 1) // n - k * i // n for i in range(n))

    def of(self, features: Int64[Tensor, "some"]) -> "Layers":
        """The same layers with only some features, in rising order."""
        starts = torch.searchsorted(features.cpu(), torch.tensor(self.starts)).tolist()
        return Layers(tuple(starts), self.ins, self.outs)

    def hold(self, W_enc: Float[Tensor, "n d_in"], W_dec: Float[Tensor, "n d_out"]) -> bool:
        """Whether both are zero outside the blocks."""
        kept = W_enc.detach().clone(), W_dec.detach().clone()
        self.clear(*kept)
        return torch.equal(kept[0], W_enc) and torch.equal(kept[1], W_dec)

    @torch.no_grad()
    def clear(self, W_enc: Float[Tensor, "n d_in"], W_dec: Float[Tensor, "n d_out"]) -> None:
        """Set to zero, in place, what lies outside the blocks of two matrices (or of their gradients)."""
        for layer in range(len(self)):
            rows, reads = self.features(layer), self.reads(layer)
            W_enc[rows, : reads.start] = 0.0
            W_enc[rows, reads.stop :] = 0.0
            W_dec[rows, : self.outs[layer]] = 0.0
