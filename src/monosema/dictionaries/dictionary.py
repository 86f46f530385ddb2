"""What a dictionary is: a sparse code for activation vectors.

    x [batch, d_in]  --encode-->  f [batch, n_features]  --decode-->  y [batch, d_out]

An autoencoder reads and writes one site (d_in = d_out = d_model); a transcoder reads one and writes
another; a crosscoder reads and writes several, laid end to end (d_in = n_sites * d_model).
Never imports a model, a store, or a metric.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from monosema.core import fingerprints
from monosema.core.shown import Shown
from monosema.dictionaries.architecture import Architecture
from monosema.dictionaries.codes import SparseCodes
from monosema.dictionaries.kernels import decode
from monosema.dictionaries.weights import Weights


@final
@dataclass(frozen=True)
class Dictionary(Shown):
    """A trained dictionary, in the units of the model's own activations.

    rule        how it chooses what fires, with its config
    weights     latent-major tensors
    reads       the sites whose activations, laid end to end, are x; `widths_in` says where to cut
    writes      the same for y
    keep        False for pruned features: their codes are dropped, nothing is selected instead
    metadata    provenance, kept with the dictionary
    folder      where it was read from; None for one that was not
    """

    architecture: str
    rule: Architecture
    weights: Weights
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    widths_in: tuple[int, ...]
    widths_out: tuple[int, ...]
    keep: Bool[Tensor, "n_features"]
    metadata: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = field(default=None, compare=False)

    @torch.no_grad()
    def encode(self, x: Float[Tensor, "batch d_in"]) -> SparseCodes:
        """The codes of `x`."""
        return self.rule.encode(self.weights, x).keep(self.keep)

    @torch.no_grad()
    def decode(self, codes: SparseCodes) -> Float[Tensor, "batch d_out"]:
        """The reconstruction that `codes` stand for."""
        return decode(codes, self.weights.W_dec, self.weights.b_dec)

    def reconstruct(self, x: Float[Tensor, "batch d_in"]) -> Float[Tensor, "batch d_out"]:
        """decode(encode(x))."""
        return self.decode(self.encode(x))

    def pruned(self, keep: Bool[Tensor, "n_features"]) -> "Dictionary":
        """The same dictionary without the features where `keep` is False. L0 falls by the sum of
        their frequencies, exactly."""
        return replace(self, keep=self.keep & keep)

    def by_layer(self) -> tuple["Dictionary", ...]:
        """One dictionary for each layer that features are split over, of those that read it: what all write adds up
        to what this one writes. Itself alone where they are not split."""
        layers, w = self.weights.layers, self.weights
        if layers is None:
            return (self,)
        parts = []
        for i in range(len(layers)):
            rows, reads, writes = layers.features(i), layers.reads(i), layers.writes(i)
            b_dec = w.b_dec[writes].clone()
            b_dec[self.widths_out[i] :] = 0.0
            extra = {name: tensor[rows] for name, tensor in w.extra.items()}
            blocks = w.W_enc[rows, reads].contiguous(), w.W_dec[rows, writes].contiguous(), w.b_enc[rows], b_dec
            part = replace(
                self,
                rule=self.rule.of_layer(layers, i),
                weights=Weights(*blocks, centred=False, extra=extra),
                reads=self.reads[i : i + 1],
                writes=self.writes[i:],
                widths_in=self.widths_in[i : i + 1],
                widths_out=self.widths_out[i:],
                keep=self.keep[rows],
                folder=None,
            )
            parts.append(part)
        return tuple(parts)

    def to(self, device: str) -> "Dictionary":
        """The same dictionary on another device."""
        moved = {name: tensor.to(device) for name, tensor in self.weights.named().items()}
        return replace(self, weights=self.weights.replaced(moved), keep=self.keep.to(device))

    @property
    def config(self) -> Any:
        return self.rule.config

    @property
    def is_autoencoder(self) -> bool:
        """Whether it writes where it reads (a crosscoder does too)."""
        return self.reads == self.writes

    @property
    def n_features(self) -> int:
        return self.weights.n_features

    @property
    def d_in(self) -> int:
        return sum(self.widths_in)

    @property
    def d_out(self) -> int:
        return sum(self.widths_out)

    @property
    def W_enc(self) -> Float[Tensor, "n_features d_in"]:  # noqa: N802
        return self.weights.W_enc

    @property
    def W_dec(self) -> Float[Tensor, "n_features d_out"]:  # noqa: N802
        return self.weights.W_dec

    @property
    def b_enc(self) -> Float[Tensor, "n_features"]:
        return self.weights.b_enc

    @property
    def b_dec(self) -> Float[Tensor, "d_out"]:
        return self.weights.b_dec

    @property
    def fingerprint(self) -> str:
        """Of every tensor, the pruning included."""
        return fingerprints.of_tensors({**self.weights.named(), "keep": self.keep})
