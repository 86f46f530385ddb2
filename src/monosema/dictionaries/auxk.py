"""AuxK: dead features learn to explain what the living left over (Gao et al. 2024, section A.2).

    e  = y - y'                                        the error, without gradient
    e' = sum over the k_aux largest dead pre-activations
    L  = sum |e - e'|^2 / sum |e - mean e|^2           scaled by min(n_dead / k_aux, 1)

The gradient reaches the dead features' encoder rows as well as their decoder rows.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from monosema.core.config import require_range
from monosema.dictionaries.kernels import decode, pre_activations
from monosema.dictionaries.selection import strongest
from monosema.dictionaries.weights import Weights

DEAD_SHARE, DEAD_INTERVALS = 1 / 64, 10


def require_auxk(auxk: float, dead_after: int | None) -> None:
    """Raise ConfigError for a weight of the loss, or rows of silence, that cannot work."""
    require_range("auxk", auxk, 0)
    if dead_after is not None:
        require_range("dead_after", dead_after, 1)


def silence(dead_after: int | None, rows: int, interval: float) -> int:
    """Rows of silence that make a feature dead in a run of `rows`: `dead_after`, or where that is None 1/64 of
    them, but no fewer than ten times the `interval` between two firings of an average feature, n_features / L0."""
    return dead_after or max(round(DEAD_SHARE * rows), math.ceil(DEAD_INTERVALS * interval))


def auxk_loss(
    weights: Weights,
    x: Float[Tensor, "batch d_in"],
    error: Float[Tensor, "batch d_out"],
    dead: Bool[Tensor, "n_features"],
) -> Float[Tensor, ""]:
    """The loss above; zero, with a gradient of zero, when nothing is dead.

    x      what the encoder multiplies (already centred)
    error  the reconstruction less y, without gradient
    """
    features = dead.nonzero().view(-1)
    k_aux = max(1, error.shape[1] // 2)
    if len(features) == 0:
        return error.new_zeros(())
    error = -error
    some = weights.of(features)
    codes = strongest(some, x, k_aux)
    values = pre_activations(x, None, some.W_enc, some.b_enc, codes)
    guess = decode(codes.with_values(values), some.W_dec, torch.zeros_like(error[0]))
    spread = (error - error.mean(0)).square().sum()
    scale = min(len(features) / k_aux, 1.0)
    return scale * (guess - error).square().sum() / spread.clamp_min(torch.finfo(error.dtype).tiny)
