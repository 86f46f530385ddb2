"""Selection: the encoder's matrix product and the choice of what fires, chunk by chunk of rows.

    pre = x W_enc^T + b_enc        x is already centred where the dictionary centres its input

`select_topk`        the k largest of each row (Makhzani & Frey 2013; Gao et al. 2024)
`select_batch_topk`  the `total` largest of the whole batch (Bussmann et al. 2024)
`select_above`       all above a threshold, one per feature (Rajamanoharan et al. 2024); 0 is a ReLU

The first two keep positive values only: a ReLU follows the selection.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.timing import timed
from monosema.dictionaries.codes import SparseCodes
from monosema.dictionaries.kernels.backends import backend_for

SAMPLE_ROWS = 256
HEADROOM = 1.15
"""`select_batch_topk` looks above a floor that this many times its share of some rows passes."""


def select_topk(
    x: Float[Tensor, "batch d_in"], W_enc: Float[Tensor, "n_features d_in"], b_enc: Float[Tensor, "n_features"], k: int
) -> SparseCodes:
    """The k largest positive pre-activations of each row, each row's in order of feature."""
    with timed("select"):
        return backend_for(W_enc).select_topk(x, W_enc, b_enc, k)


def select_above(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "n_features d_in"],
    b_enc: Float[Tensor, "n_features"],
    threshold: Float[Tensor, "n_features"] | float = 0.0,
) -> SparseCodes:
    """Every pre-activation above its feature's threshold, which is not below zero for a ReLU."""
    with timed("select"):
        return backend_for(W_enc).select_above(x, W_enc, b_enc, threshold)


@torch.no_grad()
def select_batch_topk(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "n_features d_in"],
    b_enc: Float[Tensor, "n_features"],
    total: int,
) -> SparseCodes:
    """The `total` largest positive pre-activations of the batch (fewer if fewer are positive).

    A floor taken from some of the rows sorts out most entries; what is above it is then compared
    exactly. When too few are above it, the floor falls to zero.
    """
    floor = _floor(x, W_enc, b_enc, total)
    codes = select_above(x, W_enc, b_enc, floor)
    if len(codes.values) < total and floor > 0:
        codes = select_above(x, W_enc, b_enc)
    surplus = len(codes.values) - total
    return codes if surplus <= 0 else codes.where(_all_but_smallest(codes.values, surplus))


def _floor(x: Tensor, W_enc: Tensor, b_enc: Tensor, total: int) -> float:
    """A value that about HEADROOM x total entries of the batch reach, judged by some of its rows."""
    sample = x[:: max(1, len(x) // SAMPLE_ROWS)]
    share = -(-total // len(x))
    values = select_topk(sample, W_enc, b_enc, min(len(W_enc), 2 * share)).values
    wanted = int(HEADROOM * total * len(sample) / len(x)) + 1
    if len(values) < wanted:
        return 0.0
    return float(values.kthvalue(len(values) - wanted + 1).values)


def _all_but_smallest(values: Float[Tensor, "nnz"], n: int) -> Tensor:
    """A mask of all values but the n smallest; of equal ones the first are left out."""
    border = values.kthvalue(n).values
    below, ties = values < border, (values == border).nonzero().view(-1)
    chosen = ~below
    chosen[ties[: n - int(below.sum())]] = False
    return chosen
