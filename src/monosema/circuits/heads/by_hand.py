"""An induction circuit written down, in a small transformer of two layers: ... a b ... a -> b.

    the stream    [token, one-hot | position, one-hot | token before | answer]
    head 0.0      query: the position; key: the position, plus one; value: the token -> "token before"
                  so it moves the token at position 0 to position 1: query at 1, key and value at 0
    head 1.0      query: the token; key: "token before"; value: the token -> "answer"
                  so it reads by its keys what head 0.0 wrote (K-composition)

No norm, no MLP; logits read the "answer" alone. Position 0 has no token before it and attends to itself: head 1.0's key
is half a score lower there, so that its own token is no match. All other heads are small random ones. Where the last
token has not been seen, head 1.0 looks at all later positions alike.
"""

import torch
from torch import Tensor

from monosema.core.config import require
from monosema.core.seeding import generator
from monosema.models.small_transformer import SmallConfig, SmallTransformer, small_transformer

SHARPNESS = 30.0
"""The score of a match; attention elsewhere is exp(-30) of it, at most exp(-15) at position 0."""

GAIN = 10.0
"""The logit of a token that all attention is on."""


def induction_by_hand(
    d_vocab: int = 12, n_context: int = 24, n_heads: int = 3, noise: float = 0.01, seed: int = 0
) -> SmallTransformer:
    """The model. `noise`: the deviation of the entries of all other heads' matrices."""
    require(
        d_vocab >= 2 and n_context >= 2 and n_heads >= 1, "an induction circuit needs 2 tokens, 2 positions, 1 head"
    )
    width, d_model = max(d_vocab, n_context), 3 * d_vocab + n_context
    config = SmallConfig(d_vocab, d_vocab, n_context, 2, d_model, n_heads, width, 0, norm="none", attn_scale=1.0)
    module = small_transformer(config, seed).requires_grad_(False)
    draws = generator(seed, "induction by hand")
    for name, matrix in module.named_parameters():
        matrix.zero_()
        if ".attn." in name and matrix.ndim == 2:
            matrix.copy_(noise * torch.randn(matrix.shape, generator=draws))
    token, before, answer = (
        slice(start, start + d_vocab) for start in (0, d_vocab + n_context, 2 * d_vocab + n_context)
    )
    position = slice(d_vocab, d_vocab + n_context)
    module.embed.weight[:, token] = torch.eye(d_vocab)
    module.positions.weight[:, position] = torch.eye(n_context)
    module.unembed.weight[:, answer] = GAIN * torch.eye(d_vocab)
    moves = _first_head(module, 0, width)
    moves["query"][:n_context, position] = SHARPNESS * torch.eye(n_context)
    moves["key"][1:n_context, position] = torch.eye(n_context)[:-1]
    moves["value"][:d_vocab, token] = torch.eye(d_vocab)
    moves["output"][before, :d_vocab] = torch.eye(d_vocab)
    matches = _first_head(module, 1, width)
    matches["query"][:d_vocab, token] = SHARPNESS * torch.eye(d_vocab)
    matches["key"][:d_vocab, before] = torch.eye(d_vocab)
    matches["key"][:d_vocab, position.start] = -0.5
    matches["value"][:d_vocab, token] = torch.eye(d_vocab)
    matches["output"][answer, :d_vocab] = torch.eye(d_vocab)
    return module


def _first_head(module: SmallTransformer, layer: int, width: int) -> dict[str, Tensor]:
    """Views of head 0's parts of a layer's matrices, emptied: outputs as rows, `output` with its inputs as columns."""
    attn = module.blocks[layer].get_submodule("attn")
    views = {name: attn.get_submodule(name).get_parameter("weight")[:width] for name in ("query", "key", "value")}
    views["output"] = attn.get_submodule("output").get_parameter("weight")[:, :width]
    for view in views.values():
        view.zero_()
    return views
