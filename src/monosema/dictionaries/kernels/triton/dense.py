"""The selections and the sums as dense products of a few rows at a time: what is right when much fires.

Also the slow path of a selection: a row whose candidates prove nothing is done again here, exactly.
No kernel of ours, so the same code runs on any device.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.dictionaries.codes import SparseCodes, offsets_of

CHUNK_ELEMENTS = 1 << 26
"""Entries of a dense matrix that exist at a time: 256 MB in float32."""

DENSE_SHARE = 1 / 32
"""Above this share of active entries a dense product reads less: estimated from an H100's 3 TB/s and 50
float32 TFLOP/s, at which one gathered entry costs as much as 33 multiplied ones."""


def is_dense(codes: SparseCodes) -> bool:
    """Whether so much fires that dense products are the cheaper ones."""
    return len(codes.values) > DENSE_SHARE * len(codes) * codes.n_features


@contextmanager
def full_precision() -> Iterator[None]:
    """Products of float32 matrices in float32, whatever the user allows elsewhere."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def topk(
    x: Float[Tensor, "batch d_in"], W_enc: Float[Tensor, "n_features d_in"], b_enc: Float[Tensor, "n_features"], k: int
) -> SparseCodes:
    """The k largest positive pre-activations of each row, each row's in order of feature."""

    def wanted(pre: Tensor) -> Tensor:
        top = pre.topk(k, dim=1, sorted=False).indices
        return torch.zeros_like(pre, dtype=torch.bool).scatter_(1, top, True) & (pre > 0)

    return _select(x, W_enc, b_enc, wanted)


def above(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "n_features d_in"],
    b_enc: Float[Tensor, "n_features"],
    threshold: Float[Tensor, "n_features"] | float,
) -> SparseCodes:
    """Every pre-activation above its feature's threshold."""
    return _select(x, W_enc, b_enc, lambda pre: pre > threshold)


def _select(x: Tensor, W_enc: Tensor, b_enc: Tensor, wanted: Callable[[Tensor], Tensor]) -> SparseCodes:
    parts = []
    with full_precision():
        for chunk in x.split(_rows(len(W_enc))):
            pre = torch.addmm(b_enc, chunk, W_enc.T)
            mask = wanted(pre)
            parts.append(SparseCodes(mask.nonzero()[:, 1], pre[mask], offsets_of(mask.sum(1)), len(W_enc)))
    return SparseCodes.concatenate(parts)


def sum_by_row(codes: SparseCodes, table: Float[Tensor, "n_features d"]) -> Float[Tensor, "batch d"]:
    """sum_j values_j table[indices_j]."""
    with full_precision():
        return torch.cat([f @ table for _, f in _pieces(codes)])


def sum_by_feature(codes: SparseCodes, rows: Float[Tensor, "batch d"]) -> Float[Tensor, "n_features d"]:
    """sum over a feature's entries of values_j rows[row_j]."""
    total = rows.new_zeros(codes.n_features, rows.shape[1])
    with full_precision():
        for first, f in _pieces(codes):
            total.addmm_(f.T, rows[first : first + len(f)])
    return total


def products(
    codes: SparseCodes, left: Float[Tensor, "batch d"], right: Float[Tensor, "n_features d"]
) -> Float[Tensor, "nnz"]:
    """<left[row_j], right[indices_j]>."""
    places = codes.rows() * codes.n_features + codes.indices
    parts, done = [], 0
    with full_precision():
        for first, last, count in _cuts(codes):
            here = places[done : done + count] - first * codes.n_features
            parts.append((left[first:last] @ right.T).view(-1)[here])
            done += count
    return torch.cat(parts)


def _pieces(codes: SparseCodes) -> Iterator[tuple[int, Float[Tensor, "rows n_features"]]]:
    """(first row, dense codes of the rows from there on)."""
    done = 0
    for first, last, count in _cuts(codes):
        piece, offsets = slice(done, done + count), codes.offsets[first : last + 1] - done
        yield first, SparseCodes(codes.indices[piece], codes.values[piece], offsets, codes.n_features).dense()
        done += count


def _cuts(codes: SparseCodes) -> Iterator[tuple[int, int, int]]:
    """(first row, row after the last, how many entries lie between)."""
    rows = _rows(codes.n_features)
    firsts = list(range(0, len(codes), rows))
    lasts = [min(first + rows, len(codes)) for first in firsts]
    ends = codes.offsets[torch.tensor([0, *lasts], device=codes.offsets.device)].diff().tolist()
    return zip(firsts, lasts, ends, strict=True)


def _rows(n_features: int) -> int:
    return max(1, CHUNK_ELEMENTS // n_features)
