"""The three operations that training a dictionary spends its time in, at the price of what fires.

    select_*          which features fire on each row, and their pre-activations     (no gradient)
    pre_activations   the same numbers with a gradient to W_enc, b_enc and the centre
    decode            the reconstruction, with a gradient to the values, W_dec and b_dec
    squared_error     its squared distance from a target, with the same gradients in fewer passes

Weights are latent-major: W_enc [n_features, d_in] and W_dec [n_features, d_out], one feature one
row. Rows of the input go through the encoder in chunks, so no batch x n_features matrix exists.
Gradients equal those of dense autograd to rounding: a feature that does not fire has none.
"""

from monosema.dictionaries.kernels.backends import backend_name
from monosema.dictionaries.kernels.gradients import decode, pre_activations, squared_error
from monosema.dictionaries.kernels.select import select_above, select_batch_topk, select_topk

__all__ = [
    "backend_name",
    "decode",
    "pre_activations",
    "select_above",
    "select_batch_topk",
    "select_topk",
    "squared_error",
]
