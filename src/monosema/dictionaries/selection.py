"""Which features of a dictionary fire: the kernels' selections, layer by layer where features are split over layers.

Then each layer's product is its own, so that L layers cost what one of all features and one layer's width does; and
of k features a row each layer has its share. Were they chosen over all layers together, whether a feature of layer 0
fires would hang on layer 3, and nothing could be computed layer by layer.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.dictionaries.codes import SparseCodes
from monosema.dictionaries.kernels import select_above, select_batch_topk, select_topk
from monosema.dictionaries.kernels.batch import batch_topk
from monosema.dictionaries.weights import Weights

Choose = Callable[[Tensor, Tensor, Tensor, int], SparseCodes]
"""(x, W_enc, b_enc, layer) to the layer's codes."""


def strongest(weights: Weights, x: Float[Tensor, "batch d_in"], k: int) -> SparseCodes:
    """The k largest positive pre-activations of each row of what the encoder multiplies; of every layer its share."""
    if weights.layers is None:
        return select_topk(x, weights.W_enc, weights.b_enc, min(k, weights.n_features))
    shares = weights.layers.shares(k)
    return _by_layer(weights, x, lambda x, W, b, layer: select_topk(x, W, b, min(shares[layer], len(W))))


def above(
    weights: Weights, x: Float[Tensor, "batch d_in"], threshold: Float[Tensor, "n_features"] | float = 0.0
) -> SparseCodes:
    """Every pre-activation above its feature's threshold, which is not below zero for a ReLU."""
    layers = weights.layers
    if layers is None:
        return select_above(x, weights.W_enc, weights.b_enc, threshold)
    theta = torch.as_tensor(threshold, dtype=x.dtype, device=x.device).expand(weights.n_features)
    return _by_layer(weights, x, lambda x, W, b, layer: select_above(x, W, b, theta[layers.features(layer)]))


def strongest_of_batch(weights: Weights, x: Float[Tensor, "batch d_in"], total: int) -> SparseCodes:
    """The `total` largest positive pre-activations of the batch, of whatever rows and layers."""
    if weights.layers is None:
        return select_batch_topk(x, weights.W_enc, weights.b_enc, total)

    def some(x: Tensor, W_enc: Tensor, b_enc: Tensor, k: int) -> SparseCodes:  # noqa: ARG001 (the weights' own)
        return strongest(weights, x, k)

    def higher(x: Tensor, W_enc: Tensor, b_enc: Tensor, threshold: Tensor | float) -> SparseCodes:  # noqa: ARG001
        return above(weights, x, threshold)

    return batch_topk(x, weights.W_enc, weights.b_enc, total, some, higher)


@torch.no_grad()
def _by_layer(weights: Weights, x: Float[Tensor, "batch d_in"], choose: Choose) -> SparseCodes:
    layers, parts = weights.layers, list[SparseCodes]()
    assert layers is not None
    for layer in range(len(layers)):
        rows, columns = layers.features(layer), layers.reads(layer)
        if rows.start == rows.stop:
            continue
        W_enc = weights.W_enc[rows, columns].contiguous()
        parts.append(choose(x[:, columns].contiguous(), W_enc, weights.b_enc[rows], layer))
    return SparseCodes.side_by_side(parts)
