"""What an architecture is: a rule for which features fire, and a loss. Nothing else.

An architecture is stateless. What changes in training lives in `Weights`, in the counters that the
trainer passes in as a `Moment`, and in the running means of the `statistics` a loss returns.

All losses are per coordinate on activations of unit variance, so that they compare between
dictionaries and sites: `mse` is mean over rows of |y - y'|^2 / d_out, and a penalty is divided by
d_out as well (a coefficient then reads as in Bricken et al. 2023, who sum over coordinates).
"""

import abc
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.dictionaries.codes import SparseCodes
from monosema.dictionaries.kernels import squared_error
from monosema.dictionaries.layers import Layers
from monosema.dictionaries.weights import Weights

FIRST_L0 = 32.0
"""Features a row that a ReLU starts with: few of a wide dictionary's, so that no step costs what a dense one does."""

HALF = 0.5
"""Activations start at half of what an encoder of unit rows gives. Unit rows that are not orthogonal rebuild too much
of what they share: the first error is then above the variance, and a short run spends its steps on undoing that."""


@dataclass(frozen=True)
class Moment:
    """Where training stands when a loss is asked for.

    progress  fraction of the run that is done, in [0, 1]
    silent    rows since each feature last fired, before this batch
    rows      that the whole run takes
    """

    progress: float
    silent: Int64[Tensor, "n_features"]
    rows: int = 0

    def dead(self, codes: SparseCodes, after: int) -> Bool[Tensor, "n_features"]:
        """Features that have been silent for `after` rows, this batch included."""
        return (self.silent + len(codes) >= after) & (codes.counts() == 0)


@dataclass(frozen=True)
class Terms:
    """A training loss and what it is made of.

    loss        to differentiate
    parts       its named parts, for the log
    codes       what fired on the batch
    statistics  numbers whose running mean the architecture needs for inference
    """

    loss: Float[Tensor, ""]
    parts: dict[str, Tensor]
    codes: SparseCodes
    statistics: dict[str, float] = field(default_factory=dict)


class Architecture(abc.ABC):
    """A sparsity rule. Subclasses are final, one file each, and take their config as `config`."""

    Config: type
    """The frozen dataclass of its settings."""

    config: Any

    counts_per_row: tuple[str, ...] = ()
    """Settings that say how many features a row has: where features are split over layers, each layer has its share."""

    scaled_extra: tuple[str, ...] = ()
    """Extra tensors that are in units of activation, and scale with it."""

    first_scale: float = 1.0
    """What activations start at, as a multiple of those of an encoder of unit rows (an untied one's)."""

    def extra(self, n_features: int) -> dict[str, Tensor]:
        """Trainable tensors beyond the four that every dictionary has, at the start."""
        del n_features
        return {}

    def first_bias(self, n_features: int) -> float:
        """What b_enc starts at, for inputs of unit variance around the centre."""
        del n_features
        return 0.0

    def inference_extra(self, statistics: dict[str, float], n_features: int) -> dict[str, Tensor]:
        """Tensors that inference needs and training does not train, from the running statistics."""
        del statistics, n_features
        return {}

    def of_layer(self, layers: Layers, layer: int) -> "Architecture":
        """The same rule for the features of one layer alone."""
        settings: dict[str, Any] = {"n_features": layers.starts[layer + 1] - layers.starts[layer]}
        for name in self.counts_per_row:
            value = getattr(self.config, name)
            settings[name] = layers.shares(value)[layer] if isinstance(value, int) else value / len(layers)
        return type(self)(replace(self.config, **settings))  # type: ignore[call-arg]

    def project(self, weights: Weights) -> None:  # noqa: B027
        """Bring the extra tensors back into their range after an optimiser step."""

    @abc.abstractmethod
    def encode(self, weights: Weights, x: Float[Tensor, "batch d_in"]) -> SparseCodes:
        """The codes of `x`, as in use: without gradient."""

    @abc.abstractmethod
    def loss(
        self, weights: Weights, x: Float[Tensor, "batch d_in"], y: Float[Tensor, "batch d_out"], moment: Moment
    ) -> Terms:
        """The training loss of predicting `y` from `x` (the same tensor for an autoencoder)."""


def mse(
    weights: Weights, codes: SparseCodes, y: Float[Tensor, "batch d_out"]
) -> tuple[Float[Tensor, ""], Float[Tensor, "batch d_out"]]:
    """(mean over rows and coordinates of the squared error of decoding `codes`, the error itself without
    gradient: the reconstruction less `y`)."""
    total, error = squared_error(codes, weights.W_dec, weights.b_dec, y)
    return total / y.numel(), error


def bias_for(l0: float, n_features: int) -> float:
    """The bias under which about `l0` features fire on a row before training, where no more than half of
    all would without one: a random direction sees unit variance as a standard normal variable."""
    share = torch.tensor(min(0.5, l0 / n_features), dtype=torch.float64)
    return float(torch.special.ndtri(share))


def warmed(progress: float, fraction: float) -> float:
    """A factor that rises from 0 to 1 over the first `fraction` of a run."""
    return 1.0 if fraction == 0 else min(1.0, progress / fraction)
