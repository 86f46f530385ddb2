"""Every kernel in torch's own operations: any device, any precision, and what the others are held to."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import embedding_bag

from monosema.dictionaries.codes import SparseCodes, offsets_of
from monosema.dictionaries.kernels.adam import AdamStep
from monosema.dictionaries.kernels.batch import batch_topk
from monosema.dictionaries.kernels.scan import Scan, best_scan, halved

DENSE_SHARE = 1 / 12
"""Above this share of active entries a dense product is faster (measured on 2 CPU cores)."""

ROWS = 1024
"""Rows of a matrix that an update takes at a time."""

FOLD = 32
"""Entries of a row of which only the largest is looked at first."""


@torch.no_grad()
def select_topk(
    x: Float[Tensor, "batch d_in"], W_enc: Float[Tensor, "n_features d_in"], b_enc: Float[Tensor, "n_features"], k: int
) -> SparseCodes:
    """As `kernels.select_topk`."""
    fold = max(1, min(FOLD, len(W_enc) // (4 * k)))
    scanned, parts = best_scan(x, W_enc, b_enc, halved), []
    for first, s in scanned.chunks(fold):
        maxima = _maxima(s, fold)
        below, least = scanned.cuts(slice(first, first + len(s)))
        floor = maxima.topk(k, dim=1, sorted=False).values.min(1).values.to(below.dtype)
        cut = torch.maximum((1 - 2 * scanned.rounding) * floor - below, least)
        parts.append(_reaching(s, maxima, cut, len(W_enc)))
    return largest_of_rows(_scored(scanned, x, W_enc, b_enc, SparseCodes.concatenate(parts)), k)


@torch.no_grad()
def select_above(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "n_features d_in"],
    b_enc: Float[Tensor, "n_features"],
    threshold: Float[Tensor, "n_features"] | float = 0.0,
) -> SparseCodes:
    """As `kernels.select_above`."""
    scanned = best_scan(x, W_enc, b_enc - threshold, halved)
    fold, parts = min(FOLD, len(W_enc)), []
    for first, s in scanned.chunks(fold):
        _, least = scanned.cuts(slice(first, first + len(s)))
        parts.append(_reaching(s, _maxima(s, fold), least, len(W_enc)))
    found = SparseCodes.concatenate(parts)
    theta = torch.as_tensor(threshold, dtype=x.dtype, device=x.device).expand(len(W_enc))
    if scanned.exact:
        found = found.with_values(found.values + theta[found.indices])
    codes = _scored(scanned, x, W_enc, b_enc, found)
    return codes.where(codes.values > theta[codes.indices])


def select_batch_topk(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "n_features d_in"],
    b_enc: Float[Tensor, "n_features"],
    total: int,
) -> SparseCodes:
    """As `kernels.select_batch_topk`."""
    return batch_topk(x, W_enc, b_enc, total, select_topk, select_above)


def largest_of_rows(codes: SparseCodes, k: int) -> SparseCodes:
    """The k largest positive values of each row, in order of feature."""
    most = int(codes.l0().max()) if len(codes) else 0
    place = torch.arange(len(codes.values), device=codes.values.device) - codes.offsets[codes.rows()]
    padded = codes.values.new_full((len(codes), max(most, k)), -torch.inf)
    padded[codes.rows(), place] = codes.values
    features = codes.indices.new_full(padded.shape, codes.n_features)
    features[codes.rows(), place] = codes.indices
    top = padded.topk(k, dim=1, sorted=False)
    order = features.gather(1, top.indices).sort(1)
    values = top.values.gather(1, order.indices)
    fires = values > 0
    return SparseCodes(order.values[fires], values[fires], offsets_of(fires.sum(1)), codes.n_features)


def _maxima(s: Float[Tensor, "rows width"], fold: int) -> Float[Tensor, "rows columns"]:
    """The largest of each column when every row is folded `fold` times."""
    return s.view(len(s), fold, -1).amax(1)


def _reaching(
    s: Float[Tensor, "rows width"], maxima: Float[Tensor, "rows columns"], cut: Float[Tensor, "rows"], n_features: int
) -> SparseCodes:
    """The entries of s that reach their row's cut, in order of feature."""
    columns = maxima.shape[1]
    row, column = (maxima >= cut[:, None]).nonzero(as_tuple=True)
    folded = s.view(len(s), -1, columns)[row, :, column]
    hit, part = (folded >= cut[row, None]).nonzero(as_tuple=True)
    rows, features = row[hit], part * columns + column[hit]
    keys, order = (rows * s.shape[1] + features).sort()
    values = folded[hit, part][order].to(cut.dtype)
    counts = torch.bincount(rows, minlength=len(s))
    return SparseCodes(keys % s.shape[1], values, offsets_of(counts), n_features)


def _scored(scanned: Scan, x: Tensor, W_enc: Tensor, b_enc: Tensor, found: SparseCodes) -> SparseCodes:
    """The found entries with their exact pre-activations."""
    if scanned.exact:
        return found
    return found.with_values(products(found, x, W_enc) + b_enc[found.indices])


def sum_by_row(codes: SparseCodes, table: Float[Tensor, "n_features d"]) -> Float[Tensor, "batch d"]:
    """sum_j values_j table[indices_j] of each row."""
    if is_dense(codes):
        return codes.dense() @ table
    return _bags(codes.indices, codes.values, codes.offsets, table)


def sum_by_feature(codes: SparseCodes, rows: Float[Tensor, "batch d"]) -> Float[Tensor, "n_features d"]:
    """sum of values_j rows[row_j] over each feature's entries."""
    if is_dense(codes):
        return codes.dense().T @ rows
    order, offsets = codes.by_feature
    return _bags(codes.rows()[order], codes.values[order], offsets, rows)


def products(
    codes: SparseCodes, left: Float[Tensor, "batch d"], right: Float[Tensor, "n_features d"]
) -> Float[Tensor, "nnz"]:
    """<left[row], right[feature]> at every entry: how embedding_bag itself takes the gradient of its weights."""
    if is_dense(codes):
        return (left @ right.T).view(-1)[codes.rows() * codes.n_features + codes.indices]
    native = torch.ops.aten._embedding_bag_per_sample_weights_backward
    return native(left, right, codes.indices, codes.offsets[:-1], codes.rows(), 0)


def residual(
    codes: SparseCodes, W_dec: Float[Tensor, "n_features d"], b_dec: Float[Tensor, "d"], y: Float[Tensor, "batch d"]
) -> tuple[Float[Tensor, "batch d"], Float[Tensor, "nnz"]]:
    """(e, p): e = sum_j values_j W_dec[indices_j] + b_dec - y of each row, and p = <e[row], W_dec[indices]>."""
    error = sum_by_row(codes, W_dec).add_(b_dec).sub_(y)
    return error, products(codes, error, W_dec)


def is_dense(codes: SparseCodes) -> bool:
    """Whether so much fires that a dense product is faster than sums over what fired."""
    return len(codes.indices) > DENSE_SHARE * len(codes) * codes.n_features


def _bags(indices: Int64[Tensor, "nnz"], weights: Tensor, offsets: Tensor, table: Tensor) -> Tensor:
    return embedding_bag(indices, table, offsets, mode="sum", per_sample_weights=weights, include_last_offset=True)


def perpendicular(W: Float[Tensor, "n d"], gradient: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """Take off each row of `gradient`, in place, what is parallel to W's row of unit norm; the squared norm left."""
    for rows in range(0, len(W), ROWS):
        w, g = W[rows : rows + ROWS], gradient[rows : rows + ROWS]
        g -= (g * w).sum(1, keepdim=True) * w
    return squared_norm(gradient)


def squared_norm(gradient: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """The sum of squares."""
    return torch.linalg.vector_norm(gradient).square()


def adam(
    W: Float[Tensor, "n d"],
    gradient: Float[Tensor, "n d"],
    moments: tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]],
    step: AdamStep,
    *,
    unit: bool,
) -> None:
    """Adam's update in place, and rows brought to norm 1 where `unit`."""
    first, second = moments
    gradient.mul_(step.scale)
    first.lerp_(gradient, 1 - step.beta1)
    second.mul_(step.beta2).addcmul_(gradient, gradient, value=1 - step.beta2)
    for rows in range(0, len(W), ROWS):
        part = slice(rows, rows + ROWS)
        W[part].addcdiv_(first[part], second[part].sqrt().div_(step.correction).add_(step.epsilon), value=-step.rate)
        if unit:
            W[part] /= W[part].norm(dim=1, keepdim=True)
