"""Answers against targets: the share that is right, its interval over sequences, and what knowing nothing scores."""

import torch
from jaxtyping import Bool, Int64
from torch import Tensor, nn

from monosema.core.findings import bootstrap
from monosema.toys.algorithmic.tasks import NOT_ASKED

BATCH = 1024
"""Sequences that a model answers at a time."""


def answers(module: nn.Module, tokens: Int64[Tensor, "n seq"]) -> Int64[Tensor, "n seq"]:
    """The answer that a model holds likeliest at every position."""
    with torch.no_grad():
        return torch.cat([module(input_ids=part).logits.argmax(-1) for part in tokens.split(BATCH)])


def right(given: Int64[Tensor, "n seq"], targets: Int64[Tensor, "n seq"]) -> Bool[Tensor, "n seq"]:
    """Where something is asked and the answer is the target."""
    return (given == targets) & (targets != NOT_ASKED)


def accuracy(
    given: Int64[Tensor, "n seq"], targets: Int64[Tensor, "n seq"], generator: torch.Generator
) -> tuple[float, float, float]:
    """Right answers per position asked, with the 95% interval of the bootstrap over sequences."""
    terms = torch.stack([right(given, targets).sum(1), (targets != NOT_ASKED).sum(1)], 1)
    return bootstrap(terms, lambda sums: sums[..., 0] / sums[..., 1], generator)


def whole(given: Int64[Tensor, "n seq"], targets: Int64[Tensor, "n seq"]) -> float:
    """The share of sequences in which every answer is right."""
    return float((right(given, targets) | (targets == NOT_ASKED)).all(1).double().mean())


def commonest(targets: Int64[Tensor, "n seq"], like: Int64[Tensor, "m seq"]) -> Int64[Tensor, "m seq"]:
    """The control that has looked at no token: at each position the commonest target of `targets`, for as many
    sequences as `like` has."""
    n_words = int(targets.max()) + 1
    counts = torch.stack([torch.bincount(column[column != NOT_ASKED], minlength=n_words) for column in targets.T])
    return counts.argmax(1).expand(len(like), -1)
