"""Gradients through sparse codes: sums over what fired instead of products of dense matrices.

    y      = sum_j values_j W_dec[indices_j]                          one bag per row
    dW_dec = sum_j values_j dy[rows_j]                                one bag per feature
    dW_enc = sum_j dvalues_j x[rows_j]                                one bag per feature
    dcentre = -(db_enc . W_enc)                                       no pass of its own
    dvalues = 2 <y - target, W_dec[indices_j]>                        of a squared error, with the row at hand

Where so much fires that a dense product is cheaper (early in L1 training), the same sums are taken
as one; the result is equal to rounding.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.timing import timed
from monosema.dictionaries.codes import SparseCodes
from monosema.dictionaries.kernels.backends import backend_for


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


def squared_error(
    codes: SparseCodes,
    W_dec: Float[Tensor, "n_features d_out"],
    b_dec: Float[Tensor, "d_out"],
    y: Float[Tensor, "batch d_out"],
) -> tuple[Float[Tensor, ""], Float[Tensor, "batch d_out"]]:
    """(sum of |decode(codes) - y|^2 over all rows and coordinates, decode(codes) - y): the first is
    differentiable in the values, W_dec and b_dec, the second has no gradient.

    The same numbers as from `decode`, without reading W_dec twice or keeping what a chain of operations
    on [batch, d_out] would.
    """
    total, error = _SquaredError.apply(codes.values, W_dec, b_dec, y, codes)
    return total, error


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
        return None, dcentre, backend_for(W_enc).sum_by_feature(codes, x), db_enc, None


class _Decode(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, W_dec: Tensor, codes: SparseCodes) -> Tensor:
        ctx.save_for_backward(values, W_dec)
        ctx.codes = codes
        with timed("decode"):
            return backend_for(W_dec).sum_by_row(codes.with_values(values), W_dec)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        values, W_dec = ctx.saved_tensors
        codes, dy = ctx.codes, grads[0].contiguous()
        kernels = backend_for(W_dec)
        dvalues = kernels.products(codes, dy, W_dec) if ctx.needs_input_grad[0] else None
        dW_dec = kernels.sum_by_feature(codes.with_values(values), dy) if ctx.needs_input_grad[1] else None
        return dvalues, dW_dec, None


class _SquaredError(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, values: Tensor, W_dec: Tensor, b_dec: Tensor, y: Tensor, codes: SparseCodes
    ) -> tuple[Tensor, Tensor]:
        with timed("decode"):
            error, products = backend_for(W_dec).residual(codes.with_values(values), W_dec, b_dec, y)
            ctx.save_for_backward(values, error, products)
            ctx.codes = codes
            ctx.mark_non_differentiable(error)
            return torch.linalg.vector_norm(error).square(), error

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        values, error, products = ctx.saved_tensors
        slope = 2 * grads[0]
        dvalues = slope * products if ctx.needs_input_grad[0] else None
        wanted_W, wanted_b = ctx.needs_input_grad[1:3]
        dW_dec = backend_for(error).sum_by_feature(ctx.codes.with_values(slope * values), error) if wanted_W else None
        return dvalues, dW_dec, slope * error.sum(0) if wanted_b else None, None, None
