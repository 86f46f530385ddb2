"""Sums over what fired: gathered rows, weighted and added, and inner products of gathered pairs.

A bag is a run of entries that are summed into one row: the entries of a row of the batch, or the
entries of a feature once they are sorted by feature. A bag of more than LONG entries is cut into
pieces, which are summed side by side and then added in order, so that one program never has all the
work and the result does not depend on which finishes first.
"""

from typing import NamedTuple, no_type_check

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.dictionaries.codes import SparseCodes
from monosema.dictionaries.kernels.triton import dense
from monosema.dictionaries.kernels.triton.split import n_tiles, power_of_two

LONG = 512
"""Entries that one program adds up."""

HELD, WIDEST = 2048, 256
"""Numbers that a program gathers at a time (16 for each thread of 4 warps), and of how many columns at most."""


def sum_by_row(codes: SparseCodes, table: Float[Tensor, "n_features d"]) -> Float[Tensor, "batch d"]:
    """sum_j values_j table[indices_j] for each row."""
    if dense.is_dense(codes):
        return dense.sum_by_row(codes, table)
    return _bag_sums(_Bags(codes.indices, codes.values, codes.offsets), table)


def sum_by_feature(codes: SparseCodes, rows: Float[Tensor, "batch d"]) -> Float[Tensor, "n_features d"]:
    """sum over a feature's entries of values_j rows[row_j], for each feature."""
    if dense.is_dense(codes):
        return dense.sum_by_feature(codes, rows)
    order, offsets = codes.by_feature
    return _bag_sums(_Bags(codes.rows()[order], codes.values[order], offsets), rows)


def products(
    codes: SparseCodes, left: Float[Tensor, "batch d"], right: Float[Tensor, "n_features d"]
) -> Float[Tensor, "nnz"]:
    """<left[row_j], right[indices_j]> at every entry."""
    if dense.is_dense(codes):
        return dense.products(codes, left, right)
    return pair_products(left, right, codes.rows(), codes.indices)


def pair_products(
    left: Float[Tensor, "n_left d"],
    right: Float[Tensor, "n_right d"],
    rows: Int64[Tensor, "nnz"],
    features: Int64[Tensor, "nnz"],
) -> Float[Tensor, "nnz"]:
    """<left[rows_j], right[features_j]> for every pair, in float32."""
    out = left.new_empty(len(rows))
    width = _width(left)
    grid = (n_tiles(len(rows), HELD // width),)
    if len(rows):
        with torch.cuda.device_of(left):
            tables = left.contiguous(), right.contiguous()
            _pair_products[grid](*tables, rows, features, out, len(rows), left.shape[1], HELD // width, width)
    return out


class _Bags(NamedTuple):
    """Bag p holds entries offsets[p] to offsets[p + 1]: rows `indices` of a table, times `weights`."""

    indices: Int64[Tensor, "nnz"]
    weights: Float[Tensor, "nnz"]
    offsets: Int64[Tensor, "bags_plus_1"]


class _Pieces(NamedTuple):
    """Where each piece begins and ends, the bag it is of, and its place in the table of partial sums
    (-1: the piece is the whole bag)."""

    begins: Int64[Tensor, "pieces"]
    ends: Int64[Tensor, "pieces"]
    bags: Int64[Tensor, "pieces"]
    partial: Int64[Tensor, "pieces"]


def _bag_sums(bags: _Bags, table: Tensor) -> Tensor:
    n_pieces = (bags.offsets.diff() + LONG - 1).div(LONG, rounding_mode="floor").clamp(min=1)
    pieces = _cut(bags.offsets, n_pieces)
    out = table.new_empty(len(n_pieces), table.shape[1])
    n_partial = int(pieces.partial.max()) + 1 if len(pieces.partial) else 0
    partial = table.new_empty(n_partial, table.shape[1])
    _add(bags, pieces, table, out, partial)
    if n_partial:
        cut_up = (n_pieces > 1).nonzero().view(-1)
        last = n_pieces[cut_up].cumsum(0)
        every = torch.arange(n_partial, device=table.device)
        whole = _Pieces(last - n_pieces[cut_up], last, cut_up, torch.full_like(cut_up, -1))
        _add(_Bags(every, partial.new_ones(n_partial), bags.offsets), whole, partial, out, partial)
    return out


def _cut(offsets: Tensor, n_pieces: Tensor) -> _Pieces:
    bags = torch.repeat_interleave(torch.arange(len(n_pieces), device=offsets.device), n_pieces)
    number = torch.arange(len(bags), device=offsets.device) - (n_pieces.cumsum(0) - n_pieces)[bags]
    begins = offsets[bags] + number * LONG
    is_cut = n_pieces[bags] > 1
    partial = torch.where(is_cut, is_cut.cumsum(0) - 1, -1)
    return _Pieces(begins, torch.minimum(begins + LONG, offsets[bags + 1]), bags, partial)


def _add(bags: _Bags, pieces: _Pieces, table: Tensor, out: Tensor, partial: Tensor) -> None:
    d, width = table.shape[1], _width(table)
    grid = (len(pieces.begins), n_tiles(d, width))  # one slab of columns after the other: it stays in L2
    if len(pieces.begins):
        with torch.cuda.device_of(table):
            entries = bags.indices, bags.weights.contiguous()
            _sum_pieces[grid](*entries, *pieces, table.contiguous(), out, partial, d, HELD // width, width)


def _width(table: Tensor) -> int:
    return min(WIDEST, power_of_two(table.shape[1]))


@triton.jit
@no_type_check
def _sum_pieces(
    indices, weights, begins, ends, bags, places, table, out, partial, d, ENTRIES: tl.constexpr, WIDTH: tl.constexpr
):
    piece = tl.program_id(0)
    column = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    begin, end = tl.load(begins + piece), tl.load(ends + piece)
    total = tl.zeros((WIDTH,), tl.float32)
    for start in range(begin, end, ENTRIES):
        entry = start + tl.arange(0, ENTRIES)
        row = tl.load(indices + entry, mask=entry < end, other=0)
        weight = tl.load(weights + entry, mask=entry < end, other=0.0)
        here = (entry < end)[:, None] & (column < d)[None, :]
        total += tl.sum(weight[:, None] * tl.load(table + row[:, None] * d + column[None, :], mask=here, other=0.0), 0)
    place = tl.load(places + piece)
    if place < 0:
        tl.store(out + tl.load(bags + piece) * d + column, total, mask=column < d)
    else:
        tl.store(partial + place * d + column, total, mask=column < d)


@triton.jit
@no_type_check
def _pair_products(left, right, rows, features, out, nnz, d, ENTRIES: tl.constexpr, WIDTH: tl.constexpr):
    entry = tl.program_id(0).to(tl.int64) * ENTRIES + tl.arange(0, ENTRIES)
    row = tl.load(rows + entry, mask=entry < nnz, other=0)
    feature = tl.load(features + entry, mask=entry < nnz, other=0)
    total = tl.zeros((ENTRIES, WIDTH), tl.float32)
    for start in range(0, d, WIDTH):
        column = start + tl.arange(0, WIDTH)
        here = (entry < nnz)[:, None] & (column < d)[None, :]
        ours = tl.load(left + row[:, None] * d + column[None, :], mask=here, other=0.0)
        theirs = tl.load(right + feature[:, None] * d + column[None, :], mask=here, other=0.0)
        total += ours * theirs
    tl.store(out + entry, tl.sum(total, 1), mask=entry < nnz)


def residual(
    codes: SparseCodes, W_dec: Float[Tensor, "n_features d"], b_dec: Float[Tensor, "d"], y: Float[Tensor, "batch d"]
) -> tuple[Float[Tensor, "batch d"], Float[Tensor, "nnz"]]:
    """(e, p): e = sum_j values_j W_dec[indices_j] + b_dec - y of each row, and p = <e[row], W_dec[indices]>."""
    error = sum_by_row(codes, W_dec).add_(b_dec).sub_(y)
    return error, products(codes, error, W_dec)
