"""Losses per token, in nats, without a second copy of the logits; and who has a next-token loss."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from monosema.core.errors import MismatchError
from monosema.models.model import Model

CHUNK = 2**24
"""Logits that are turned to float32 at a time: 64 MB."""


def next_token_loss(
    logits: Float[Tensor, "batch seq d_vocab"], tokens: Int64[Tensor, "batch seq"]
) -> Float[Tensor, "batch seq_minus_1"]:
    """-log p(token t+1 | tokens up to t), float32, in nats per token: row b, column t is the loss of tokens[b, t + 1].

    Equal to `torch.nn.functional.cross_entropy` on the logits in float32, bit for bit; done a few
    rows at a time. The last position predicts nothing that is known and is dropped.
    """
    return token_losses(logits, tokens.to(logits.device).roll(-1, dims=1))[:, :-1]


def token_losses(
    logits: Float[Tensor, "batch seq d_vocab"], targets: Int64[Tensor, "batch seq"]
) -> Float[Tensor, "batch seq"]:
    """-log p(target) at every position, float32, in nats; done a few rows at a time."""
    d_vocab = logits.shape[-1]
    rows = max(1, CHUNK // d_vocab)
    losses = [
        functional.cross_entropy(part.float(), target, reduction="none")
        for part, target in zip(
            logits.reshape(-1, d_vocab).split(rows), targets.to(logits.device).reshape(-1).split(rows), strict=True
        )
    ]
    return torch.cat(losses).view(targets.shape)


def require_next_token(model: object, purpose: str) -> None:
    """Raise MismatchError when `model` is a Model that does not predict the next token, which `purpose` needs."""
    if isinstance(model, Model) and not model.causal:
        says = (
            "attends to later tokens"
            if model.family.predicts == "next token"
            else f"predicts {_SAYS[model.family.predicts]}"
        )
        raise MismatchError(
            f"{model.name} {says}, and {purpose} measures next-token losses: take a causal language model"
        )


_SAYS = {"masked token": "masked tokens", "target text": "a text from a text"}
