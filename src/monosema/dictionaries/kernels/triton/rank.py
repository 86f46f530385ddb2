"""The k-th largest of each row of keys, by settling one bit after the other from the top.

A key is a positive number and the feature it belongs to, packed so that keys are ordered as the numbers
are, and equal numbers by feature, the lower first. No two features of a row share a key, so exactly k
keys reach the k-th largest. The key 0 is an empty place.

    bits 32-62  the float32; positive floats are ordered as their bits
    bits 0-30   LAST - feature
"""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from jaxtyping import Float32, Int64
from torch import Tensor

from monosema.dictionaries.kernels.triton.split import n_tiles, power_of_two

LAST = 2**31 - 1

HELD = 4096
"""Keys that a program holds, in as many rows as that makes: 32 for each thread of 4 warps."""


def keys_of(values: Float32[Tensor, "n"], features: Int64[Tensor, "n"]) -> Int64[Tensor, "n"]:
    """The keys; 0 where the value is not positive."""
    packed = (values.view(torch.int32).to(torch.int64) << 32) | (LAST - features)
    return torch.where(values > 0, packed, 0)


def features_of(keys: Int64[Tensor, "*shape"]) -> Int64[Tensor, "*shape"]:
    """The features packed in `keys`."""
    return LAST - (keys & LAST)


def values_of(keys: Int64[Tensor, "*shape"]) -> Float32[Tensor, "*shape"]:
    """The numbers packed in `keys`."""
    return (keys >> 32).to(torch.int32).view(torch.float32)


def kth_largest(keys: Int64[Tensor, "rows width"], k: int) -> Int64[Tensor, "rows"]:
    """The k-th largest key of each row; 0 when fewer than k are positive."""
    n, width = keys.shape
    kth = keys.new_empty(n)
    widened = power_of_two(width)
    rows = max(1, HELD // widened)
    with torch.cuda.device_of(keys):
        _kth_largest[(n_tiles(n, rows),)](keys.contiguous(), kth, n, width, k, rows, widened)
    return kth


@triton.jit
@no_type_check
def _kth_largest(keys, kth, n, width, k, ROWS: tl.constexpr, WIDTH: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    at = tl.arange(0, WIDTH)
    here = (row < n)[:, None] & (at < width)[None, :]
    mine = tl.load(keys + row[:, None] * width + at[None, :], mask=here, other=0)
    reached = tl.zeros((ROWS,), tl.int64)
    step = tl.full((), 1 << 62, tl.int64)
    for _ in range(63):
        n_reaching = tl.sum((mine >= (reached + step)[:, None]).to(tl.int32), 1)
        reached = tl.where(n_reaching >= k, reached + step, reached)
        step = step // 2
    tl.store(kth + row, reached, mask=row < n)
