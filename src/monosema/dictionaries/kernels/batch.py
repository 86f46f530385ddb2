"""BatchTopK from the other two selections: a floor, what is above it, and the exact choice among that."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from monosema.dictionaries.codes import SparseCodes

Select = Callable[[Tensor, Tensor, Tensor, int], SparseCodes]
Above = Callable[[Tensor, Tensor, Tensor, Tensor | float], SparseCodes]

SAMPLE_ROWS = 256
HEADROOM = 1.15
"""The floor is one that this many times the wanted share of some rows' entries reach."""


@torch.no_grad()
def batch_topk(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "n_features d_in"],
    b_enc: Float[Tensor, "n_features"],
    total: int,
    select_topk: Select,
    select_above: Above,
) -> SparseCodes:
    """The `total` largest positive pre-activations of the batch (fewer if fewer are positive).

    A floor taken from some of the rows sorts out most entries; what is above it is then compared
    exactly. When too few are above it, the floor falls to zero.
    """
    floor = _floor(x, W_enc, b_enc, total, select_topk)
    codes = select_above(x, W_enc, b_enc, floor)
    if len(codes.values) < total and floor > 0:
        codes = select_above(x, W_enc, b_enc, 0.0)
    surplus = len(codes.values) - total
    return codes if surplus <= 0 else codes.where(_all_but_smallest(codes.values, surplus))


def _floor(x: Tensor, W_enc: Tensor, b_enc: Tensor, total: int, select_topk: Select) -> float:
    """A value that about HEADROOM x total entries of the batch reach, judged by some of its rows."""
    sample = x[:: max(1, len(x) // SAMPLE_ROWS)]
    share = -(-total // len(x))
    values = select_topk(sample, W_enc, b_enc, min(len(W_enc), 2 * share)).values
    wanted = int(HEADROOM * total * len(sample) / len(x)) + 1
    if len(values) < wanted:
        return 0.0
    return float(values.kthvalue(len(values) - wanted + 1).values)


def _all_but_smallest(values: Float[Tensor, "nnz"], n: int) -> Bool[Tensor, "nnz"]:
    """A mask of all values but the n smallest; of equal ones the first are left out."""
    border = values.kthvalue(n).values
    below, ties = values < border, (values == border).nonzero().view(-1)
    chosen = ~below
    chosen[ties[: n - int(below.sum())]] = False
    return chosen
