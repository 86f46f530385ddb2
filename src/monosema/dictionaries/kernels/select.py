"""Selection: the encoder's matrix product and the choice of what fires, chunk by chunk of rows.

    pre = x W_enc^T + b_enc        x is already centred where the dictionary centres its input

`select_topk`        the k largest of each row (Makhzani & Frey 2013; Gao et al. 2024)
`select_batch_topk`  the `total` largest of the whole batch (Bussmann et al. 2024)
`select_above`       all above a threshold, one per feature (Rajamanoharan et al. 2024); 0 is a ReLU

The first two keep positive values only: a ReLU follows the selection.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.dictionaries.codes import SparseCodes, offsets_of

CHUNK_ELEMENTS = 1 << 22
"""Pre-activations held at a time: 16 MB in float32, which stays in the last-level cache."""

SAMPLE_ROWS, HEADROOM = 256, 1.3
"""`select_batch_topk` looks above a floor that this many times its share of the first rows passes."""


@torch.no_grad()
def select_topk(
    x: Float[Tensor, "batch d_in"], W_enc: Float[Tensor, "n_features d_in"], b_enc: Float[Tensor, "n_features"], k: int
) -> SparseCodes:
    """The k largest positive pre-activations of each row, each row's in order of feature."""
    indices, values = [], []
    for pre in _chunks(x, W_enc, b_enc):
        top = pre.topk(k, dim=1, sorted=False)
        order = top.indices.argsort(1)
        indices.append(top.indices.gather(1, order).view(-1))
        values.append(top.values.gather(1, order).view(-1))
    offsets = torch.arange(0, len(x) * k + 1, k, device=x.device)
    codes = SparseCodes(torch.cat(indices), torch.cat(values), offsets, len(W_enc))
    return codes.where(codes.values > 0)


@torch.no_grad()
def select_above(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "n_features d_in"],
    b_enc: Float[Tensor, "n_features"],
    threshold: Float[Tensor, "n_features"] | float = 0.0,
) -> SparseCodes:
    """Every pre-activation above its feature's threshold."""
    parts = [_entries(pre, pre > threshold) for pre in _chunks(x, W_enc, b_enc)]
    return _joined(parts, len(W_enc))


@torch.no_grad()
def select_batch_topk(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "n_features d_in"],
    b_enc: Float[Tensor, "n_features"],
    total: int,
) -> SparseCodes:
    """The `total` largest positive pre-activations of the batch (fewer if fewer are positive).

    A floor taken from the first rows sorts out most entries; everything above it is then compared
    exactly. When too few pass in the rest of the batch, the floor falls to zero.
    """
    first = torch.addmm(b_enc, x[:SAMPLE_ROWS], W_enc.T)
    wanted = min(first.numel(), int(HEADROOM * total * len(first) / len(x)) + 1)
    floor = max(float(first.view(-1).topk(wanted, sorted=False).values.min()), 0.0)
    codes = select_above(x, W_enc, b_enc, floor)
    if len(codes.values) < total and floor > 0:
        codes = select_above(x, W_enc, b_enc)
    if len(codes.values) <= total:
        return codes
    chosen = torch.zeros_like(codes.values, dtype=torch.bool)
    chosen[codes.values.topk(total, sorted=False).indices] = True
    return codes.where(chosen)


def _chunks(x: Tensor, W_enc: Tensor, b_enc: Tensor) -> Iterator[Tensor]:
    rows = min(max(1, CHUNK_ELEMENTS // len(W_enc)), len(x))
    buffer = x.new_empty(rows, len(W_enc))
    for chunk in x.split(rows):
        yield torch.addmm(b_enc, chunk, W_enc.T, out=buffer[: len(chunk)])


def _entries(pre: Tensor, wanted: Tensor) -> tuple[Int64[Tensor, "nnz"], Float[Tensor, "nnz"], Int64[Tensor, "rows"]]:
    flat = wanted.view(-1).nonzero().view(-1)
    return flat % pre.shape[1], pre.view(-1)[flat], wanted.sum(1)


def _joined(parts: list[tuple[Tensor, Tensor, Tensor]], n_features: int) -> SparseCodes:
    indices, values, counts = (torch.cat(pieces) for pieces in zip(*parts, strict=True))
    return SparseCodes(indices, values, offsets_of(counts), n_features)
