"""The scan: one pass of a tiled matrix product whose tiles keep what may matter and forget the rest.

A tile holds s = kept(x) kept(W)^T + b in float32. What it can be off, against the same product of the
whole numbers in float32, is bounded for each row and feature by Cauchy and Schwarz:

    |s - pre| <= |dropped x| |w| + |x| |dropped w| + rounding |x| |w|

where `rounding` covers both float32 sums: tensor cores cut off instead of rounding (Fasi, Higham,
Mikaitis & Pranesh 2021), which costs at most a unit in the last place for each number added. A tile
appends every feature whose upper bound s + bound is above the row's floor to the row's list, under its
upper bound, and so whatever is in no list is not above the floor.

Lists fill in any order, from run to run too; what is done with them does not depend on it.
"""

from dataclasses import dataclass
from typing import no_type_check

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Int32, Int64
from torch import Tensor

from monosema.dictionaries.kernels.triton.plan import GROUP, Tile
from monosema.dictionaries.kernels.triton.rank import LAST
from monosema.dictionaries.kernels.triton.split import Split, padded

ROUNDING = 1.25 * 2**-22
"""Relative error of two float32 sums for each number added: on tensor cores 2^-22, in registers 2^-24."""

ULPS = 2**-20
"""How far sums with a bias or a floor can be off, relative to those."""

NORMS = 1.01
"""The norms are float32 sums themselves, of up to 10^5 squares."""

HEIGHT = 16
"""Row tiles that take the same feature tiles together, so that W is read from memory once for all of them."""


@dataclass(frozen=True)
class Candidates:
    """keys: rank.py, the upper bounds of the pre-activations. wanted: how many there are of each row, or
    would be if there were room for them."""

    keys: Int64[Tensor, "batch capacity"]
    wanted: Int32[Tensor, "batch"]

    def overflowing(self) -> Tensor:
        """The rows that had more candidates than places."""
        return self.wanted > self.keys.shape[1]


def peaks(x: Split, W: Split, b_enc: Float[Tensor, "n_features"], tile: Tile) -> Float[Tensor, "rows groups"]:
    """The largest of each GROUP of the products x W^T + b_enc, scanned."""
    out = x.norms.new_empty(len(x.kept), len(W.kept) // GROUP)
    bias = padded(b_enc, len(W.kept), -torch.inf)
    tiles = _tiles(x, W, tile)
    with torch.cuda.device_of(out):
        _peaks[(tiles[0] * tiles[1],)](x.kept, W.kept, bias, out, x.kept.shape[1], *tiles, GROUP, **_options(tile))
    return out


def nominate(
    x: Split, W: Split, b_enc: Float[Tensor, "n_features"], floor: Float[Tensor, "batch"], capacity: int, tile: Tile
) -> Candidates:
    """The features of each row whose pre-activation may be above the row's floor, which is at least 0."""
    n, d = len(floor), x.kept.shape[1]
    keys = torch.zeros(n, capacity, dtype=torch.int64, device=floor.device)
    wanted = torch.zeros(len(x.kept), dtype=torch.int32, device=floor.device)
    of_x = NORMS * (x.dropped + ROUNDING * d * x.norms), NORMS * x.norms
    bias = padded(b_enc + ULPS * b_enc.abs(), len(W.kept), -torch.inf)
    floors = padded(floor * (1 - ULPS), len(x.kept), torch.inf)
    tiles = _tiles(x, W, tile)
    arguments = (x.kept, W.kept, bias, W.norms, W.dropped, *of_x, floors, wanted, keys, d, capacity, *tiles)
    with torch.cuda.device_of(keys):
        _nominate[(tiles[0] * tiles[1],)](*arguments, LAST, **_options(tile))
    return Candidates(keys, wanted[:n])


def _tiles(x: Split, W: Split, tile: Tile) -> tuple[int, int]:
    return len(x.kept) // tile.rows, len(W.kept) // tile.features


def _options(tile: Tile) -> dict[str, int | bool]:
    return {
        "ROWS": tile.rows,
        "FEATURES": tile.features,
        "DEPTH": tile.depth,
        "HEIGHT": HEIGHT,
        "WIDEN": not isinstance(_nominate, triton.JITFunction),
        "num_warps": tile.warps,
        "num_stages": tile.stages,
    }


@triton.jit
@no_type_check
def _place(row_tiles, feature_tiles, HEIGHT: tl.constexpr):
    """(row tile, feature tile) of this program: HEIGHT row tiles go through all the features together."""
    program = tl.program_id(0)
    first = program // (HEIGHT * feature_tiles) * HEIGHT
    height = tl.minimum(row_tiles - first, HEIGHT)
    within = program % (HEIGHT * feature_tiles)
    return first + within % height, within // height


@triton.jit
@no_type_check
def _product(x, W, row, feature, d, DEPTH: tl.constexpr, WIDEN: tl.constexpr):
    """x W^T of these rows and features. WIDEN: the interpreter multiplies no bfloat16."""
    k = tl.arange(0, DEPTH)
    x_at = x + row.to(tl.int64)[:, None] * d + k[None, :]
    W_at = W + feature.to(tl.int64)[None, :] * d + k[:, None]
    total = tl.zeros((row.shape[0], feature.shape[0]), tl.float32)
    for _ in range(0, d, DEPTH):
        left, right = tl.load(x_at), tl.load(W_at)
        if WIDEN:
            left, right = left.to(tl.float32), right.to(tl.float32)
        total = tl.dot(left, right, total, input_precision="ieee")
        x_at += DEPTH
        W_at += DEPTH
    return total


@triton.jit
@no_type_check
def _peaks(
    x, W, bias, out, d, row_tiles, feature_tiles,
    GROUP: tl.constexpr, ROWS: tl.constexpr, FEATURES: tl.constexpr, DEPTH: tl.constexpr, HEIGHT: tl.constexpr,
    WIDEN: tl.constexpr,
):  # fmt: skip
    row_tile, feature_tile = _place(row_tiles, feature_tiles, HEIGHT)
    row = row_tile * ROWS + tl.arange(0, ROWS)
    feature = feature_tile * FEATURES + tl.arange(0, FEATURES)
    s = _product(x, W, row, feature, d, DEPTH, WIDEN) + tl.load(bias + feature)[None, :]
    group = feature_tile * (FEATURES // GROUP) + tl.arange(0, FEATURES // GROUP)
    place = row.to(tl.int64)[:, None] * (feature_tiles * (FEATURES // GROUP)) + group[None, :]
    tl.store(out + place, tl.max(s.reshape(ROWS, FEATURES // GROUP, GROUP), 2))


@triton.jit
@no_type_check
def _append(s, row, feature, bias, W_norms, W_dropped, a, c, floor, wanted, keys, capacity, LAST: tl.constexpr):
    """One atomic operation for each candidate: they are few, and a prefix sum of the tile costs more."""
    bound = a[:, None] * tl.load(W_norms + feature)[None, :] + c[:, None] * tl.load(W_dropped + feature)[None, :]
    upper = s + tl.load(bias + feature)[None, :] + bound
    wanted_here = upper > floor[:, None]
    counters = wanted + (row[:, None] + tl.zeros_like(s).to(tl.int32))
    at = tl.atomic_add(counters, 1, mask=wanted_here, sem="relaxed")
    key = (upper.to(tl.int32, bitcast=True).to(tl.int64) << 32) | (LAST - feature)[None, :].to(tl.int64)
    tl.store(keys + row.to(tl.int64)[:, None] * capacity + at, key, mask=wanted_here & (at < capacity))


@triton.jit
@no_type_check
def _nominate(
    x, W, bias, W_norms, W_dropped, a_rows, c_rows, floors, wanted, keys, d, capacity, row_tiles, feature_tiles,
    LAST: tl.constexpr, ROWS: tl.constexpr, FEATURES: tl.constexpr, DEPTH: tl.constexpr, HEIGHT: tl.constexpr,
    WIDEN: tl.constexpr,
):  # fmt: skip
    row_tile, feature_tile = _place(row_tiles, feature_tiles, HEIGHT)
    row = row_tile * ROWS + tl.arange(0, ROWS)
    first = feature_tile * FEATURES
    s = _product(x, W, row, first + tl.arange(0, FEATURES), d, DEPTH, WIDEN)
    a, c, floor = tl.load(a_rows + row), tl.load(c_rows + row), tl.load(floors + row)
    quarter: tl.constexpr = FEATURES // 4  # in four parts, or the registers do not hold it
    halves = s.reshape(ROWS, 2, FEATURES // 2).permute(0, 2, 1).split()
    for half in tl.static_range(2):
        parts = halves[half].reshape(ROWS, 2, quarter).permute(0, 2, 1).split()
        for part in tl.static_range(2):
            feature = first + (2 * half + part) * quarter + tl.arange(0, quarter)
            _append(
                parts[part], row, feature, bias, W_norms, W_dropped, a, c, floor, wanted, keys, capacity, LAST
            )  # fmt: skip
