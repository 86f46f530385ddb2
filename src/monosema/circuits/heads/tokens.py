"""A head's circuits from token to token, and in the residual stream.

    QK    E W_Q W_K^T E^T scale     [query token, key token]: how much one token looks for another
    OV    E W_V W_O W_U             [token attended to, token]: what attending to it adds to the logits

E is what the head would read if the token embedding alone were in the stream, after the norm of its layer: positions,
biases and what earlier layers wrote are left out, and rotary embedding too, so a QK circuit is that of a token looking
at its own position. W_U has the final norm's gain (and its centring) but not its denominator: a positive factor.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.circuits.heads.lowrank import LowRank
from monosema.circuits.heads.weights import head_weights, norm_of, require_head, require_heads
from monosema.models import Model

ROWS = 4096
"""Tokens embedded at a time."""


def qk(model: Model, layer: int, head: int) -> LowRank:
    """W_Q W_K^T scale of the folded view, [d_model, d_model]: stream of the query, stream of the key."""
    require_head(model, layer, head)
    heads = head_weights(model, layer, folded=True)
    return LowRank(heads.W_Q[head] * heads.scale, heads.W_K[head].T)


def ov(model: Model, layer: int, head: int) -> LowRank:
    """W_V W_O of the folded view, [d_model, d_model]: stream attended to, what is added."""
    require_head(model, layer, head)
    heads = head_weights(model, layer, folded=True)
    return LowRank(heads.W_V[head], heads.W_O[head])


def token_circuits(model: Model, layer: int) -> tuple[tuple[LowRank, LowRank], ...]:
    """(QK, OV) of each head of `layer`, over the vocabulary; only factors are made. Raises as `head_weights` does."""
    heads = head_weights(model, layer)
    E, W_U = token_readings(model, layer, heads.W_Q.dtype), unembedding(model, heads.W_Q.dtype)
    folded = head_weights(model, layer, folded=True)
    rows = zip(heads.W_Q, heads.W_K, heads.W_V, folded.W_O, strict=True)
    return tuple(
        (LowRank(E @ W_Q * heads.scale, (E @ W_K).T), LowRank(E @ W_V, W_O @ W_U)) for W_Q, W_K, W_V, W_O in rows
    )


@torch.no_grad()
def token_readings(model: Model, layer: int, dtype: torch.dtype) -> Float[Tensor, "token d_model"]:
    """What layer `layer`'s attention would read of each token's embedding alone."""
    paths = require_heads(model)
    norm = model.module.get_submodule(f"{model.family.layers}.{layer}.{paths.attn_norm}")
    known = len(model.module.get_submodule(model.family.embed).get_parameter("weight"))
    parts = [
        norm(model.run(torch.arange(start, min(start + ROWS, known))[:, None], ["embed"])["embed"])[:, 0].to(dtype)
        for start in range(0, known, ROWS)
    ]
    return torch.cat(parts)


def unembedding(model: Model, dtype: torch.dtype) -> Float[Tensor, "d_model d_vocab"]:
    """The unembedding with the final norm's gain and centring, each token less the mean of all."""
    weight: Any = model.module.get_submodule(model.family.unembed).get_parameter("weight")
    W_U = weight.detach().to(dtype).T
    norm = norm_of(model.module.get_submodule(model.family.final_norm), W_U[:, 0])
    folded = norm.gain[:, None] * (W_U - W_U.mean(1, keepdim=True))
    return folded - folded.mean(0, keepdim=True) if norm.centred else folded
