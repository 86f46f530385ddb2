"""Rows in bfloat16 for the scan, with two norms that bound what the scan can get wrong.

    row = kept + dropped        kept is the bfloat16 nearest to the row, dropped the rest, without error

Rows and columns are filled up with zeros to whole tiles, so that the scan needs no masks.
"""

from dataclasses import dataclass
from typing import Literal, no_type_check

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Int64
from torch import Tensor

Precision = Literal["bf16", "f32"]
"""What the scan multiplies: bfloat16 halves, or float32 as it is (which drops nothing)."""

HELD, WIDEST = 4096, 1024
"""Numbers that a program holds at a time, and in how many columns at most."""


def n_tiles(length: int, tile: int) -> int:
    """How many tiles cover `length`."""
    return -(-length // tile)


def power_of_two(n: int) -> int:
    """The least power of two that is at least n, for n >= 1: the sizes of blocks."""
    return 1 << (n - 1).bit_length()


@dataclass(frozen=True)
class Split:
    """The kept part of some rows, and the norms of the rows and of what was dropped."""

    kept: Float[Tensor, "rows d"]
    norms: Float[Tensor, "rows"]
    dropped: Float[Tensor, "rows"]


def split(rows: Float[Tensor, "rows d"], row_tile: int, depth: int, precision: Precision) -> Split:
    """`rows` filled up to multiples of `row_tile` rows and `depth` columns, and split."""
    n, d = rows.shape
    n_padded, d_padded = n_tiles(n, row_tile) * row_tile, n_tiles(d, depth) * depth
    kept = rows.new_empty(n_padded, d_padded, dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
    norms, dropped = rows.new_empty(n_padded), rows.new_empty(n_padded)
    with torch.cuda.device_of(rows):
        width = min(WIDEST, power_of_two(d_padded))
        grid = (n_tiles(n_padded, HELD // width),)
        sizes = (n, d, n_padded, d_padded, HELD // width, width)
        _split[grid](rows.contiguous(), kept, norms, dropped, *sizes)
    return Split(kept, norms, dropped)


def padded(vector: Float[Tensor, "n"], length: int, filling: float) -> Float[Tensor, "length"]:
    """`vector` followed by `filling` up to `length`."""
    return torch.cat([vector, vector.new_full((length - len(vector),), filling)])


def sampled(W: Split, features: Int64[Tensor, "sample"], tile: int) -> Split:
    """The given features, filled up with zeros to a multiple of `tile`."""
    n = n_tiles(len(features), tile) * tile
    kept = W.kept.new_zeros(n, W.kept.shape[1])
    kept[: len(features)] = W.kept[features]
    return Split(kept, padded(W.norms[features], n, 0.0), padded(W.dropped[features], n, 0.0))


@triton.jit
@no_type_check
def _split(rows, kept, norms, dropped, n, d, n_padded, d_padded, ROWS: tl.constexpr, WIDTH: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    whole = tl.zeros((ROWS, WIDTH), tl.float32)
    lost = tl.zeros((ROWS, WIDTH), tl.float32)
    for start in range(0, d_padded, WIDTH):
        column = start + tl.arange(0, WIDTH)
        there = (row < n)[:, None] & (column < d)[None, :]
        value = tl.load(rows + row[:, None] * d + column[None, :], mask=there, other=0.0)
        half = value.to(kept.dtype.element_ty)
        rest = value - half.to(tl.float32)
        inside = (row < n_padded)[:, None] & (column < d_padded)[None, :]
        tl.store(kept + row[:, None] * d_padded + column[None, :], half, mask=inside)
        whole += value * value
        lost += rest * rest
    tl.store(norms + row, tl.sqrt(tl.sum(whole, 1)), mask=row < n_padded)
    tl.store(dropped + row, tl.sqrt(tl.sum(lost, 1)), mask=row < n_padded)
