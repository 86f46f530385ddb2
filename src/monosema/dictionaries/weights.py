"""The tensors of a dictionary, latent-major: one feature one row.

    W_enc [n_features, d_in]    W_dec [n_features, d_out]
    b_enc [n_features]          b_dec [d_out]
    extra                       what an architecture adds: a threshold, a gate's biases

A tied dictionary has one matrix: W_enc and W_dec are the same tensor.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.dictionaries.layers import Layers


@dataclass(frozen=True)
class Weights:
    """The tensors of one dictionary. `centred`: b_dec is taken off the input before the encoder, as
    in a dictionary that reads where it writes (Bricken et al. 2023). `layers`: how features are split over layers,
    or None where each reads and writes everything."""

    W_enc: Float[Tensor, "n_features d_in"]
    W_dec: Float[Tensor, "n_features d_out"]
    b_enc: Float[Tensor, "n_features"]
    b_dec: Float[Tensor, "d_out"]
    centred: bool
    extra: dict[str, Tensor] = field(default_factory=dict)
    layers: Layers | None = None

    @property
    def tied(self) -> bool:
        return self.W_enc is self.W_dec

    @property
    def n_features(self) -> int:
        return len(self.W_enc)

    def named(self) -> dict[str, Tensor]:
        """Every tensor once, by name."""
        own = {} if self.tied else {"W_enc": self.W_enc}
        return {**own, "W_dec": self.W_dec, "b_enc": self.b_enc, "b_dec": self.b_dec, **self.extra}

    def encoder_input(self, x: Float[Tensor, "batch d_in"]) -> Float[Tensor, "batch d_in"]:
        """What the encoder multiplies; no gradient passes (see `kernels.pre_activations`)."""
        return (x - self.b_dec).detach() if self.centred else x

    @property
    def centre(self) -> Float[Tensor, "d_in"] | None:
        return self.b_dec if self.centred else None

    def replaced(self, tensors: Mapping[str, Tensor]) -> "Weights":
        """The same dictionary with other tensors of the same names."""
        W_dec = tensors["W_dec"]
        W_enc = W_dec if self.tied else tensors["W_enc"]
        extra = {name: tensors[name] for name in self.extra}
        return Weights(W_enc, W_dec, tensors["b_enc"], tensors["b_dec"], self.centred, extra, self.layers)

    def of(self, features: Int64[Tensor, "some"]) -> "Weights":
        """Some features alone, in rising order, without what an architecture adds; the gradient reaches these."""
        layers = None if self.layers is None else self.layers.of(features)
        rows = self.W_enc[features], self.W_dec[features], self.b_enc[features]
        return Weights(*rows, self.b_dec, self.centred, layers=layers)

    def clear_gradient(self) -> None:
        """Set the gradient to zero where the split over layers keeps the weights zero."""
        if self.layers is not None and self.W_enc.grad is not None and self.W_dec.grad is not None:
            self.layers.clear(self.W_enc.grad, self.W_dec.grad)

    def detached(self) -> "Weights":
        """A copy that shares nothing and needs no gradient."""
        return self.replaced({name: tensor.detach().clone() for name, tensor in self.named().items()})


def initial(
    n_features: int,
    mean_in: Float[Tensor, "d_in"],
    mean_out: Float[Tensor, "d_out"],
    *,
    centred: bool,
    tied: bool,
    generator: torch.Generator,
    layers: Layers | None = None,
) -> Weights:
    """Weights before the first step: random unit decoder rows, b_dec the mean of the first activations.

    The encoder is the decoder's copy where the dictionary reads as many coordinates as it writes,
    else random unit rows; b_enc takes the mean of the input off, unless b_dec does. With `layers` both have zeros
    outside their blocks, and rows of norm 1 all the same.
    """
    W_dec = _unit_rows(n_features, len(mean_out), generator)
    same = len(mean_in) == len(mean_out)
    W_enc = W_dec if tied else W_dec.clone() if same else _unit_rows(n_features, len(mean_in), generator)
    if layers is not None:
        layers.clear(W_enc, W_dec)
        W_enc, W_dec = W_enc / W_enc.norm(dim=1, keepdim=True), W_dec / W_dec.norm(dim=1, keepdim=True)
    b_enc = torch.zeros(n_features) if centred else -(W_enc @ mean_in)
    return Weights(W_enc, W_dec, b_enc, mean_out.clone(), centred, layers=layers)


def _unit_rows(n: int, d: int, generator: torch.Generator) -> Float[Tensor, "n d"]:
    rows = torch.randn(n, d, generator=generator)
    return rows / rows.norm(dim=1, keepdim=True)
