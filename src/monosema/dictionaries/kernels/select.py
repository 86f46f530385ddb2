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


def select_topk(
    x: Float[Tensor, "batch d_in"], W_enc: Float[Tensor, "n_features d_in"], b_enc: Float[Tensor, "n_features"], k: int
) -> SparseCodes:
    """The k largest positive pre-activations of each row, each row's in order of feature."""
    if len(x) == 0:
        return _nothing(x, len(W_enc))
    with timed("select"):
        return backend_for(W_enc).select_topk(x, W_enc, b_enc, k)


def select_above(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "n_features d_in"],
    b_enc: Float[Tensor, "n_features"],
    threshold: Float[Tensor, "n_features"] | float = 0.0,
) -> SparseCodes:
    """Every pre-activation above its feature's threshold, which is not below zero for a ReLU."""
    if len(x) == 0:
        return _nothing(x, len(W_enc))
    with timed("select"):
        return backend_for(W_enc).select_above(x, W_enc, b_enc, threshold)


def select_batch_topk(
    x: Float[Tensor, "batch d_in"],
    W_enc: Float[Tensor, "n_features d_in"],
    b_enc: Float[Tensor, "n_features"],
    total: int,
) -> SparseCodes:
    """The `total` largest positive pre-activations of the batch (fewer if fewer are positive)."""
    if len(x) == 0:
        return _nothing(x, len(W_enc))
    with timed("select"):
        return backend_for(W_enc).select_batch_topk(x, W_enc, b_enc, total)


def _nothing(x: Tensor, n_features: int) -> SparseCodes:
    none = torch.zeros(0, dtype=torch.int64, device=x.device)
    return SparseCodes(none, x.new_zeros(0), torch.zeros(1, dtype=torch.int64, device=x.device), n_features)
