"""The kernels on a CPU, compiled by numba.

A chunk of rows is scanned by torch's matrix product, and while it is still in the cache a loop goes
over each row once: what may be selected is collected, scored exactly, and the selection made.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from monosema.dictionaries.codes import SparseCodes, offsets_of
from monosema.dictionaries.kernels import plain
from monosema.dictionaries.kernels.adam import AdamStep
from monosema.dictionaries.kernels.batch import batch_topk
from monosema.dictionaries.kernels.compiled.loops import halve
from monosema.dictionaries.kernels.compiled.rows import above_of_rows, largest_of_rows, pack
from monosema.dictionaries.kernels.compiled.sums import SLICE, residual_rows, slice_rows, sum_features
from monosema.dictionaries.kernels.compiled.threads import share
from monosema.dictionaries.kernels.compiled.updates import adam_rows, perpendicular_rows, squared_norms
from monosema.dictionaries.kernels.plain import is_dense, products, sum_by_row
from monosema.dictionaries.kernels.scan import Scan, best_scan, exact_scan

__all__ = [
    "adam",
    "perpendicular",
    "products",
    "residual",
    "select_above",
    "select_batch_topk",
    "select_topk",
    "squared_norm",
    "sum_by_feature",
    "sum_by_row",
]

RESCORED = 1 / 32
"""Above this share of candidates, scoring them again costs more than a product in float32."""

ROOM = 256
"""Entries a row that `select_above` makes room for at first."""


@torch.no_grad()
def select_topk(
    x: Float[Tensor, "batch d_in"], W_enc: Float[Tensor, "n_features d_in"], b_enc: Float[Tensor, "n_features"], k: int
) -> SparseCodes:
    """As `kernels.select_topk`."""
    x = x.contiguous()
    scanned = _scan(x, W_enc, b_enc, precise=k > RESCORED * len(W_enc))
    indices = torch.empty(len(x), k, dtype=torch.int64)
    values, counts = torch.empty(len(x), k), torch.empty(len(x), dtype=torch.int64)
    arrays = [t.detach().numpy() for t in (_cuts(scanned), x, W_enc, b_enc)]
    out = [t.numpy() for t in (indices, values, counts)]
    for first, chunk in scanned.chunks():
        cuts, *inputs = arrays
        share(largest_of_rows, len(chunk), _bits(chunk), first, scanned.rounding, cuts, *inputs, k, *out)
    if bool((counts == k).all()):
        offsets = torch.arange(0, len(x) * k + 1, k)
        return SparseCodes(indices.view(-1), values.view(-1), offsets, len(W_enc))
    written = torch.arange(k) < counts[:, None]
    return SparseCodes(indices[written], values[written], offsets_of(counts), len(W_enc))


@torch.no_grad()
def select_above(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "n_features d_in"],
    b_enc: Float[Tensor, "n_features"],
    threshold: Float[Tensor, "n_features"] | float = 0.0,
) -> SparseCodes:
    """As `kernels.select_above`."""
    x, theta = x.contiguous(), torch.as_tensor(threshold, dtype=x.dtype).expand(len(W_enc)).contiguous()
    scanned = _scan(x, W_enc, b_enc - theta, precise=False)
    parts: list[SparseCodes] = []
    for first, chunk in scanned.chunks():
        part = _above(scanned, chunk, first, x, W_enc, b_enc, theta)
        if not parts and not scanned.exact and len(part.values) > RESCORED * chunk.numel():
            return _exactly_above(x, W_enc, b_enc, theta)
        parts.append(part)
    return SparseCodes.concatenate(parts)


def select_batch_topk(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "n_features d_in"],
    b_enc: Float[Tensor, "n_features"],
    total: int,
) -> SparseCodes:
    """As `kernels.select_batch_topk`."""
    return batch_topk(x, W_enc, b_enc, total, select_topk, select_above)


def _exactly_above(x: Tensor, W_enc: Tensor, b_enc: Tensor, theta: Tensor) -> SparseCodes:
    scanned = exact_scan(x, W_enc, b_enc - theta)
    chunks = scanned.chunks()
    return SparseCodes.concatenate([_above(scanned, chunk, first, x, W_enc, b_enc, theta) for first, chunk in chunks])


def _above(
    scanned: Scan, chunk: Tensor, first: int, x: Tensor, W_enc: Tensor, b_enc: Tensor, theta: Tensor
) -> SparseCodes:
    """What is above `theta` in one chunk; again with more room where a row had too little."""
    inputs = [t.detach().numpy() for t in (_cuts(scanned), x, W_enc, b_enc, theta)]
    room, n = min(ROOM, len(W_enc)), len(chunk)
    counts = torch.empty(len(x), dtype=torch.int64)
    while True:
        indices, values = torch.empty(n, room, dtype=torch.int32), torch.empty(n, room)
        out = [t.numpy() for t in (indices, values, counts)]
        share(above_of_rows, n, _bits(chunk), first, scanned.rounding, *inputs, *out)
        most = int(counts[first : first + n].max())
        if most <= room:
            break
        room = min(len(W_enc), 2 * most)
    offsets = offsets_of(counts[first : first + n])
    total = int(offsets[-1])
    flat_indices, flat_values = torch.empty(total, dtype=torch.int64), torch.empty(total)
    ragged = (indices, values, counts[first : first + n], offsets, flat_indices, flat_values)
    share(pack, n, *[t.numpy() for t in ragged])
    return SparseCodes(flat_indices, flat_values, offsets, len(W_enc))


def _scan(x: Tensor, W_enc: Tensor, b_enc: Tensor, *, precise: bool) -> Scan:
    return exact_scan(x, W_enc.detach(), b_enc.detach()) if precise else best_scan(x, W_enc, b_enc, halved)


def halved(rows: Float[Tensor, "rows d"]) -> tuple[Tensor, Float[Tensor, "rows"], Float[Tensor, "rows"]]:
    """As `scan.halved`, in one pass."""
    halves, norms, dropped = (
        torch.empty_like(rows, dtype=torch.bfloat16),
        torch.empty(len(rows)),
        torch.empty(len(rows)),
    )
    arrays = (rows, halves.view(torch.uint16), norms, dropped)
    share(halve, len(rows), *[t.numpy() for t in arrays])
    return halves, norms, dropped


def _cuts(scanned: Scan) -> Float[Tensor, "batch 2"]:
    return torch.stack(scanned.cuts(slice(None)), 1)


def _bits(chunk: Tensor) -> object:
    return chunk.view(torch.int16 if chunk.dtype is torch.bfloat16 else torch.int32).numpy()


def residual(
    codes: SparseCodes, W_dec: Float[Tensor, "n_features d"], b_dec: Float[Tensor, "d"], y: Float[Tensor, "batch d"]
) -> tuple[Float[Tensor, "batch d"], Float[Tensor, "nnz"]]:
    """As `plain.residual`."""
    if is_dense(codes):
        return plain.residual(codes, W_dec, b_dec, y)
    error, products = torch.empty_like(y), torch.empty_like(codes.values)
    arrays = (codes.indices, codes.offsets, codes.values, W_dec, b_dec, y.contiguous(), error, products)
    share(residual_rows, len(codes), *[t.detach().numpy() for t in arrays])
    return error, products


def sum_by_feature(codes: SparseCodes, rows: Float[Tensor, "batch d"]) -> Float[Tensor, "n_features d"]:
    """As `plain.sum_by_feature`."""
    if is_dense(codes):
        return plain.sum_by_feature(codes, rows)
    order, offsets = codes.by_feature
    rows, d = rows.detach().contiguous(), rows.shape[1]
    out, slices = torch.empty(codes.n_features, d), rows.unsqueeze(0)
    if d > SLICE:
        slices = torch.empty(-(-d // SLICE), len(rows), SLICE)
        share(slice_rows, len(rows), rows.numpy(), slices.numpy())
    arrays = (order, codes.rows(), codes.values, offsets, slices, out)
    share(sum_features, codes.n_features, *[t.detach().numpy() for t in arrays])
    return out


def perpendicular(W: Float[Tensor, "n d"], gradient: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """As `plain.perpendicular`."""
    squares = torch.empty(len(W))
    share(perpendicular_rows, len(W), *[t.detach().numpy() for t in (W, gradient, squares)])
    return squares.sum()


def squared_norm(gradient: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """The sum of squares."""
    squares = torch.empty(len(gradient))
    share(squared_norms, len(gradient), gradient.numpy(), squares.numpy())
    return squares.sum()


def adam(
    W: Float[Tensor, "n d"],
    gradient: Float[Tensor, "n d"],
    moments: tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]],
    step: AdamStep,
    *,
    unit: bool,
) -> None:
    """As `plain.adam`."""
    numbers = (step.scale, step.beta1, step.beta2, step.rate, step.correction, step.epsilon)
    arrays = [t.detach().numpy() for t in (W, gradient, *moments)]
    share(adam_rows, len(W), *arrays, tuple(np.float32(number) for number in numbers), unit)
