"""The tokens whose logits a graph explains, and what is read of the last token for each.

    reading of token j = W_U[j] - mean over the vocabulary of W_U        so a row adds up to logit_j - mean logit

The logits are those before a soft cap, where a model has one; probabilities are those that the model gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.circuits.linear.local import LocalModel
from monosema.core.errors import DataError
from monosema.corpus import Tokenizer


@dataclass(frozen=True)
class Targets:
    """Logit targets, the likeliest first; `logit` is each one's less the mean of all."""

    tokens: Int64[Tensor, "k"]
    probability: Float[Tensor, "k"]
    reads: Float[Tensor, "k d_model"]
    bias: Float[Tensor, "k"]
    logit: Float[Tensor, "k"]


def likeliest(logits: Float[Tensor, "d_vocab"], probability: float, most: int) -> Int64[Tensor, "k"]:
    """The fewest tokens that together have `probability`, at most `most`."""
    shares = logits.double().softmax(0)
    top = shares.topk(min(most, len(shares)))
    enough = int((top.values.cumsum(0) < probability).sum()) + 1
    return top.indices[:enough]


def aimed_at(local: LocalModel, tokens: Int64[Tensor, "k"]) -> Targets:
    """The targets `tokens`. Raises DataError for one that the model cannot predict, and for one named twice."""
    d_vocab = len(local.W_U)
    for token in tokens.tolist():
        if not 0 <= token < d_vocab:
            raise DataError(f"token {token} cannot be a target: the model predicts tokens 0 to {d_vocab - 1}")
    if len(tokens.unique()) < len(tokens):
        raise DataError(f"a target is named twice: {tokens.tolist()}")
    shares = local.seen["logits"].double().softmax(0)[tokens]
    centre, centre_bias = local.W_U.mean(0), local.logit_bias.mean()
    reads, bias = local.W_U[tokens] - centre, local.logit_bias[tokens] - centre_bias
    logit = local.seen["ln_final"][-1] @ reads.T + bias
    return Targets(tokens, shares.to(reads), reads, bias, logit)


def token_of(tokenizer: Tokenizer, text: str) -> int:
    """The one token that `text` is. Raises DataError saying what it is made of when it is more, or nothing."""
    [ids] = tokenizer.encode([text])
    if len(ids) == 1:
        return ids[0]
    parts = " + ".join(repr(tokenizer.decode([i])) for i in ids)
    raise DataError(
        f"'{text}' is not one token but {len(ids)}{f': {parts}' if parts else ''}. Give one token as target"
    )


def targets_of(local: LocalModel, wanted: Sequence[int], probability: float, most: int) -> Targets:
    """The tokens that were asked for, or the likeliest when none was."""
    device = local.W_U.device
    chosen = torch.tensor(wanted, device=device) if wanted else likeliest(local.seen["logits"], probability, most)
    return aimed_at(local, chosen)
