"""Resampling dead features, as Bricken et al. 2023 ("Neuron resampling") describe it.

1. The autoencoder's loss on a random subset of inputs (resample_rows of them).
2. A probability for each input, proportional to the square of its loss.
3. For each dead feature an input drawn by these probabilities, brought to unit norm: its decoder row.
4. Its encoder row: the same direction, at 0.2 x the mean norm of the encoder rows of living features.
5. Its encoder bias zero; Adam's state of all it touched zero.

"Input" is what the encoder sees: the activation less b_dec where the dictionary centres. A tied
dictionary has one row for both, which stays of unit norm; a transcoder's decoder row is the error of
the drawn row instead, since its input does not live where it writes (a departure: the paper has no
transcoders).
"""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.dictionaries.architecture import Architecture
from monosema.dictionaries.kernels import decode
from monosema.dictionaries.weights import Weights

ENCODER_SHARE = 0.2

Rows = Callable[[], Iterator[tuple[Tensor, Tensor]]]
"""Hands out the same scaled (x, y) batches at every call."""


@torch.no_grad()
def row_losses(weights: Weights, rule: Architecture, x: Tensor, y: Tensor, penalty: float) -> Float[Tensor, "batch"]:
    """|y - y'|^2 + penalty * sum f of each row."""
    codes = rule.encode(weights, x)
    error = (decode(codes, weights.W_dec, weights.b_dec) - y).square().sum(1)
    return error + penalty * error.new_zeros(len(x)).index_add_(0, codes.rows(), codes.values)


@torch.no_grad()
def resample(
    weights: Weights,
    rule: Architecture,
    dead: Bool[Tensor, "n_features"],
    rows: Rows,
    penalty: float,
    generator: torch.Generator,
) -> Int64[Tensor, "n_dead"]:
    """Give every dead feature a new direction, in place; returns the features that were changed."""
    features = dead.nonzero().view(-1)
    if len(features) == 0:
        return features
    losses = torch.cat([row_losses(weights, rule, x, y, penalty) for x, y in rows()])
    picks = _draw(losses.double().square(), len(features), generator)
    inputs, errors = _collect(weights, rule, rows, picks)
    if weights.layers is not None:
        weights.layers.of(features).clear(inputs, errors)
    written = inputs if weights.centred else errors
    weights.W_dec[features] = _unit(written)
    if not weights.tied:
        living = weights.W_enc[~dead].norm(dim=1)
        norm = float(living.mean()) if len(living) else 1.0
        weights.W_enc[features] = _unit(inputs) * (ENCODER_SHARE * norm)
    weights.b_enc[features] = 0.0
    return features


def _draw(weight: Float[Tensor, "rows"], n: int, generator: torch.Generator) -> Int64[Tensor, "n"]:
    """n rows drawn with replacement, in proportion to `weight` (multinomial stops at 2^24 rows)."""
    steps = weight.cumsum(0)
    points = torch.rand(n, generator=generator, dtype=torch.float64) * float(steps[-1])
    return torch.searchsorted(steps.cpu(), points, right=True).clamp_max(len(weight) - 1)


def _collect(weights: Weights, rule: Architecture, rows: Rows, picks: Tensor) -> tuple[Tensor, Tensor]:
    """Encoder inputs and errors of the picked rows, in the order of `picks`."""
    inputs = torch.empty(len(picks), weights.W_enc.shape[1], device=weights.b_enc.device)
    errors = torch.empty(len(picks), weights.W_dec.shape[1], device=weights.b_enc.device)
    start = 0
    for x, y in rows():
        here = ((picks >= start) & (picks < start + len(x))).nonzero().view(-1)
        chosen = (picks[here] - start).to(x.device)
        inputs[here] = weights.encoder_input(x[chosen])
        codes = rule.encode(weights, x[chosen])
        errors[here] = y[chosen] - decode(codes, weights.W_dec, weights.b_dec)
        start += len(x)
    return inputs, errors


def _unit(rows: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    return rows / rows.norm(dim=1, keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)
