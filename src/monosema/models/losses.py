"""Next-token loss, in nats per token, without a second copy of the logits."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

CHUNK = 2**24
"""Logits that are turned to float32 at a time: 64 MB."""


def next_token_loss(
    logits: Float[Tensor, "batch seq d_vocab"], tokens: Int64[Tensor, "batch seq"]
) -> Float[Tensor, "batch seq_minus_1"]:
    """-log p(token t+1 | tokens up to t), float32, in nats per token: row b, column t is the loss of tokens[b, t + 1].

    Equal to `torch.nn.functional.cross_entropy` on the logits in float32, bit for bit; done a few
    rows at a time. The last position predicts nothing that is known and is dropped.
    """
    batch, seq, d_vocab = logits.shape
    rows = max(1, CHUNK // d_vocab)
    targets = tokens.to(logits.device).roll(-1, dims=1).reshape(-1)
    losses = [
        functional.cross_entropy(part.float(), target, reduction="none")
        for part, target in zip(logits.reshape(-1, d_vocab).split(rows), targets.split(rows), strict=True)
    ]
    return torch.cat(losses).view(batch, seq)[:, :-1]
