"""Gradients through sparse codes: sums over what fired instead of products of dense matrices.

    y      = sum_j values_j W_dec[indices_j]                          one bag per row
    dW_dec = sum_j values_j dy[rows_j]                                one bag per feature
    dW_enc = sum_j dvalues_j x[rows_j]                                one bag per feature
    dcentre = -(db_enc . W_enc)                                       no pass of its own

Where so much fires that a dense product is cheaper (early in L1 training), the same sums are taken
as one; the result is equal to rounding.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import embedding_bag

from monosema.dictionaries.codes import SparseCodes

DENSE_SHARE = 1 / 12
"""Above this share of active entries a dense product is faster (measured on 2 CPU cores)."""


def pre_activations(
    x: Float[Tensor, "batch d_in"],
    centre: Float[Tensor, "d_in"] | None,
    W_enc: Float[Tensor, "n_features d_in"],
    b_enc: Float[Tensor, "n_features"],
    codes: SparseCodes,
) -> Float[Tensor, "nnz"]:
    """The pre-activations at the places of `codes`, differentiable in W_enc, b_enc and the centre.

    x       what the encoder multiplies: the input less `centre`, already taken off, without gradient
    centre  what was taken off (b_dec of a dictionary that reads where it writes), or None
    """
    return _PreActivations.apply(x, centre, W_enc, b_enc, codes)


def decode(
    codes: SparseCodes,
    W_dec: Float[Tensor, "n_features d_out"],
    b_dec: Float[Tensor, "d_out"],
) -> Float[Tensor, "batch d_out"]:
    """The reconstruction sum_j values_j W_dec[indices_j] + b_dec, differentiable in all it is made of."""
    return _Decode.apply(codes.values, W_dec, codes) + b_dec


class _PreActivations(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        centre: Tensor | None,
        W_enc: Tensor,
        b_enc: Tensor,  # noqa: ARG004
        codes: SparseCodes,
    ) -> Tensor:
        ctx.save_for_backward(x, W_enc)
        ctx.codes, ctx.centred = codes, centre is not None
        return codes.values.view_as(codes.values)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, W_enc = ctx.saved_tensors
        codes = ctx.codes.with_values(grads[0])
        db_enc = torch.zeros_like(W_enc[:, 0]).index_add_(0, codes.indices, codes.values)
        dcentre = -(db_enc @ W_enc) if ctx.centred else None
        return None, dcentre, _sum_by_feature(codes, x), db_enc, None


class _Decode(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, W_dec: Tensor, codes: SparseCodes) -> Tensor:
        ctx.save_for_backward(values, W_dec)
        ctx.codes = codes
        return _sum_by_row(codes.with_values(values), W_dec)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        values, W_dec = ctx.saved_tensors
        codes, dy = ctx.codes, grads[0].contiguous()
        dvalues = _products(codes, dy, W_dec) if ctx.needs_input_grad[0] else None
        dW_dec = _sum_by_feature(codes.with_values(values), dy) if ctx.needs_input_grad[1] else None
        return dvalues, dW_dec, None


def _is_dense(codes: SparseCodes) -> bool:
    return len(codes.values) > DENSE_SHARE * len(codes) * codes.n_features


def _sum_by_row(codes: SparseCodes, table: Float[Tensor, "n_features d"]) -> Float[Tensor, "batch d"]:
    if _is_dense(codes):
        return codes.dense() @ table
    return _bags(codes.indices, codes.values, codes.offsets, table)


def _sum_by_feature(codes: SparseCodes, table: Float[Tensor, "batch d"]) -> Float[Tensor, "n_features d"]:
    if _is_dense(codes):
        return codes.dense().T @ table
    order, offsets = codes.by_feature
    return _bags(codes.rows()[order], codes.values[order], offsets, table)


def _bags(indices: Tensor, weights: Tensor, offsets: Tensor, table: Tensor) -> Tensor:
    return embedding_bag(indices, table, offsets, mode="sum", per_sample_weights=weights, include_last_offset=True)


def _products(codes: SparseCodes, left: Float[Tensor, "batch d"], right: Float[Tensor, "n_features d"]) -> Tensor:
    """<left[row], right[feature]> at every entry: how embedding_bag itself takes the gradient of its weights."""
    if _is_dense(codes):
        return (left @ right.T).view(-1)[codes.rows() * codes.n_features + codes.indices]
    native = torch.ops.aten._embedding_bag_per_sample_weights_backward
    return native(left, right, codes.indices, codes.offsets[:-1], codes.rows(), 0)
