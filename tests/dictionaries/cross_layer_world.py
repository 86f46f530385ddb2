"""Layers that share features: some are read at one layer and written there and at a later one.

    x_l = what the features of layers 0 to l leave in the stream, each along its own direction there
    y_l = sum over features that write layer l of f v_l

As in a residual stream, x_l still holds the features of earlier layers: a transcoder of layer l alone can find them
too, but needs a latent of its own for them.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from monosema.core.seeding import generator
from tests.dictionaries.worlds import Rows

LAYERS, D = 3, 16
READS = tuple(f"mlp_in.{layer}" for layer in range(LAYERS))
WRITES = tuple(f"mlp_out.{layer}" for layer in range(LAYERS))
WRITTEN = {0: (0, 2), 1: (1,), 2: (2,)}
"""Where the features of each layer write."""


class CrossLayerWorld:
    """`n` features a layer, `active` of them on a row; `scales`: the size of what is at each layer."""

    def __init__(self, n: int = 6, active: float = 1.0, scales: tuple[float, ...] = (1.0, 3.0, 1.0)):
        self.n, self.active, self.scales = n, active, scales
        draws = generator(0, "cross-layer world")
        unit = torch.nn.functional.normalize
        self.reading = unit(torch.randn(LAYERS, LAYERS * n, D, generator=draws), dim=2)
        self.writing = unit(torch.randn(LAYERS, LAYERS * n, D, generator=draws), dim=2)
        for layer in range(LAYERS):
            for source in range(LAYERS):
                mine = slice(source * n, (source + 1) * n)
                if source > layer:
                    self.reading[layer, mine] = 0.0
                if layer not in WRITTEN[source]:
                    self.writing[layer, mine] = 0.0
        self.widths = dict.fromkeys((*READS, *WRITES), D)
        self.n_rows, self.fingerprint = 4096, f"cross-layer world {n}"

    @property
    def directions(self) -> Tensor:
        """[feature, layers * D]: where each feature writes, layers laid end to end, at norm 1."""
        written = torch.cat([scale * W for scale, W in zip(self.scales, self.writing, strict=True)], 1)
        return torch.nn.functional.normalize(written, dim=1)

    def rows(self, n_rows: int, *purpose: str | int) -> tuple[Tensor, dict[str, Tensor]]:
        """(activations of the features, activations at every site)."""
        draws = generator(0, *purpose)
        fires = torch.rand(n_rows, LAYERS * self.n, generator=draws) < self.active / self.n
        f = fires * (0.5 + torch.rand(n_rows, LAYERS * self.n, generator=draws))
        at = {site: f @ self.reading[layer] + 0.1 for layer, site in enumerate(READS)}
        at |= {site: self.scales[layer] * (f @ self.writing[layer]) + 0.3 for layer, site in enumerate(WRITES)}
        return f, at

    def batches(self, batch_size: int, seed: int, start: int = 0) -> Iterator[Rows]:
        step = start
        while True:
            at = self.rows(batch_size, seed, step)[1]
            yield Rows(at, torch.arange(batch_size), torch.zeros(batch_size, dtype=torch.int64))
            step += 1
