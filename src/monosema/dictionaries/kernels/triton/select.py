"""Selection: the scan nominates, float32 decides, and a proof or a second pass makes it exact.

    floor       from a sample, low enough that the wanted lie above it almost surely   (plan.py)
    nominate    every feature whose upper bound is above the floor                     (scan.py)
    score       the best k by upper bound, in float32; the k-th largest score is t     (score.py)
    score       the others whose upper bound reaches t
    choose      the k largest scores

Whatever was not nominated is not above the floor, and whatever was not scored is below t. A row is
settled when its k-th largest score reaches the floor, or the floor is 0 (only positive ones count), and
all its candidates had a place. A row that is not settled is done again as a dense product.

Inputs are float32 without NaN, of magnitudes whose squares float32 can hold.
"""

from collections.abc import Iterator
from math import ceil
from typing import NamedTuple

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from monosema.dictionaries.codes import SparseCodes
from monosema.dictionaries.kernels.triton import dense
from monosema.dictionaries.kernels.triton.plan import Plan, plan_above, plan_topk, tile_for
from monosema.dictionaries.kernels.triton.rank import features_of, values_of
from monosema.dictionaries.kernels.triton.scan import ULPS, nominate, peaks
from monosema.dictionaries.kernels.triton.score import Encoder, Entries, score_batch, score_rows
from monosema.dictionaries.kernels.triton.split import Precision, Split, sampled

PLACES = 1 << 25
"""Places for candidates that exist at a time: 256 MB."""

SAMPLE_ROWS, HEADROOM = 128, 1.3
"""Rows that tell how much passes a threshold; and how many times its share of them passes the batch's floor."""


class Selected(NamedTuple):
    """A selection, and how many of its rows had to be done again."""

    codes: SparseCodes
    redone: int


@torch.no_grad()
def select_topk(
    x: Float32[Tensor, "batch d_in"],
    W_enc: Float32[Tensor, "n_features d_in"],
    b_enc: Float32[Tensor, "n_features"],
    k: int,
    precision: Precision = "bf16",
) -> SparseCodes:
    """The k largest positive pre-activations of each row, each row's in order of feature."""
    plan = plan_topk(k, len(W_enc))
    if plan is None:
        return dense.topk(x, W_enc, b_enc, k)
    return topk_by_plan(x, Encoder.of(W_enc, b_enc, tile_for(precision, x.device), precision), k, plan).codes


@torch.no_grad()
def select_above(
    x: Float32[Tensor, "batch d_in"],
    W_enc: Float32[Tensor, "n_features d_in"],
    b_enc: Float32[Tensor, "n_features"],
    threshold: Float32[Tensor, "n_features"] | float = 0.0,
    precision: Precision = "bf16",
) -> SparseCodes:
    """Every pre-activation above its feature's threshold, each row's in order of feature."""
    encoder = Encoder.of(W_enc, b_enc, tile_for(precision, x.device), precision)
    plan = plan_above(_most(_sampled(x, encoder) > threshold), len(W_enc))
    if plan is None:
        return dense.above(x, W_enc, b_enc, threshold)
    return above_by_plan(x, encoder, threshold, plan).codes


@torch.no_grad()
def select_batch_topk(
    x: Float32[Tensor, "batch d_in"],
    W_enc: Float32[Tensor, "n_features d_in"],
    b_enc: Float32[Tensor, "n_features"],
    total: int,
    precision: Precision = "bf16",
) -> SparseCodes:
    """The `total` largest positive pre-activations of the batch (fewer if fewer are positive)."""
    encoder = Encoder.of(W_enc, b_enc, tile_for(precision, x.device), precision)
    sampled = _sampled(x, encoder)
    wanted = min(sampled.numel(), ceil(HEADROOM * total * len(sampled) / max(1, len(x))))
    floor = max(0.0, float(sampled.view(-1).topk(wanted, sorted=False).values.min())) if wanted else 0.0
    plan = plan_above(_most(sampled > floor), len(W_enc))
    if plan is not None:
        return batch_topk_by_plan(x, encoder, total, floor, plan).codes
    codes = dense.above(x, W_enc, b_enc, floor)
    if floor > 0 and len(codes.values) < total:
        codes = dense.above(x, W_enc, b_enc, 0.0)
    entries = Entries(codes.rows(), codes.indices, codes.values).largest(total, len(W_enc))
    return entries.codes(len(x), len(W_enc))


def topk_by_plan(x: Float32[Tensor, "batch d_in"], encoder: Encoder, k: int, plan: Plan) -> Selected:
    """`select_topk` as `plan` says."""
    features = torch.arange(plan.sample, device=x.device) * len(encoder.b_enc) // plan.sample
    sample = sampled(encoder.scanned, features, encoder.tile.features)
    parts: list[Entries] = []
    undone: list[Tensor] = []
    for first, rows, chunk in _chunks(x, encoder, plan):
        highest = peaks(chunk, sample, encoder.b_enc[features], encoder.tile)[:rows]
        floor = highest.topk(plan.rank, dim=1, sorted=False).values.amin(1).clamp(min=0)
        candidates = nominate(chunk, encoder.scanned, encoder.b_enc, floor, plan.capacity, encoder.tile)
        scores, kth = score_rows(candidates, x[first : first + rows], encoder, k)
        settled = ((values_of(kth) >= floor) | (floor == 0)) & ~candidates.overflowing()
        row, at = ((scores >= kth.clamp(min=1)[:, None]) & settled[:, None]).nonzero(as_tuple=True)
        chosen = scores[row, at]
        parts.append(Entries(row + first, features_of(chosen), values_of(chosen)))
        undone.append((~settled).nonzero().view(-1) + first)
    redo = torch.cat(undone)
    parts.append(Entries.of(dense.topk(x[redo], encoder.W_enc, encoder.b_enc, k), redo))
    return Selected(Entries.joined(parts).codes(len(x), len(encoder.b_enc)), len(redo))


def above_by_plan(
    x: Float32[Tensor, "batch d_in"], encoder: Encoder, threshold: Float32[Tensor, "n_features"] | float, plan: Plan
) -> Selected:
    """`select_above` as `plan` says."""
    theta = torch.as_tensor(threshold, dtype=x.dtype, device=x.device).expand_as(encoder.b_enc)
    shifted = encoder._replace(b_enc=encoder.b_enc - theta + ULPS * theta.abs())
    rows, bounds, redo = _nominated(x, shifted, 0.0, plan)
    features = features_of(bounds)
    scored = Entries(rows, features, encoder.score(x, rows, features))
    again = Entries.of(dense.above(x[redo], encoder.W_enc, encoder.b_enc, threshold), redo)
    entries = Entries.joined([scored.at(scored.values > theta[features]), again])
    return Selected(entries.codes(len(x), len(encoder.b_enc)), len(redo))


def batch_topk_by_plan(
    x: Float32[Tensor, "batch d_in"], encoder: Encoder, total: int, floor: float, plan: Plan
) -> Selected:
    """`select_batch_topk` as `plan` says: from what is above `floor`, or from all that is positive where
    too little is."""
    n_features = len(encoder.b_enc)
    rows, bounds, redo = _nominated(x, encoder, floor, plan)
    again = Entries.of(dense.above(x[redo], encoder.W_enc, encoder.b_enc, floor), redo)
    entries, redone = Entries.joined([score_batch(rows, bounds, x, encoder, total), again]), len(redo)
    if floor > 0 and int((entries.values >= floor).sum()) < total:
        codes = above_by_plan(x, encoder, 0.0, plan).codes
        entries, redone = Entries(codes.rows(), codes.indices, codes.values), len(x)
    return Selected(entries.largest(total, n_features).codes(len(x), n_features), redone)


def _nominated(x: Tensor, encoder: Encoder, floor: float, plan: Plan) -> tuple[Tensor, Tensor, Tensor]:
    """(rows, keys of the upper bounds of the candidates, the rows that overflow and so have none)."""
    rows_of, bounds_of, undone = [], [], []
    for first, rows, chunk in _chunks(x, encoder, plan):
        floors = x.new_full((rows,), floor)
        candidates = nominate(chunk, encoder.scanned, encoder.b_enc, floors, plan.capacity, encoder.tile)
        row, at = ((candidates.keys > 0) & ~candidates.overflowing()[:, None]).nonzero(as_tuple=True)
        rows_of.append(row + first)
        bounds_of.append(candidates.keys[row, at])
        undone.append(candidates.overflowing().nonzero().view(-1) + first)
    return torch.cat(rows_of), torch.cat(bounds_of), torch.cat(undone)


def _chunks(x: Tensor, encoder: Encoder, plan: Plan) -> Iterator[tuple[int, int, Split]]:
    """(first row, number of rows, the rows as they are scanned), as many as there are places for."""
    height = max(1, PLACES // plan.capacity)
    for first in range(0, max(1, len(x)), height):
        chunk = x[first : first + height]
        yield first, len(chunk), encoder.split(chunk)


def _sampled(x: Tensor, encoder: Encoder) -> Float[Tensor, "rows n_features"]:
    """Pre-activations of a few rows, spread over the batch, in the precision of the scan."""
    n = min(SAMPLE_ROWS, len(x))
    rows = torch.arange(n, device=x.device) * len(x) // max(1, n)
    some, n_features = encoder.split(x[rows]).kept[:n], len(encoder.b_enc)
    return (some @ encoder.scanned.kept[:n_features].T).float() + encoder.b_enc


def _most(passing: Tensor) -> int:
    return int(passing.sum(1).max()) if len(passing) else 0
