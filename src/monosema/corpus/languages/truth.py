"""What is known of every token of a text, and its place in packed blocks."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from monosema.core.errors import MismatchError
from monosema.corpus.tokens import Tokens


@dataclass(frozen=True)
class Truth:
    """features   whether each feature is there, at every token
    known      -log p(token | all before it, and its topic), nats
    best       -log p(token | all before it): the loss of the best possible model"""

    features: Bool[Tensor, "token n_features"]
    known: Float64[Tensor, "token"]
    best: Float64[Tensor, "token"]


@dataclass(frozen=True)
class BlockTruth:
    """The same at every position of some blocks: no feature and NaN where the position is no text."""

    features: Bool[Tensor, "batch seq n_features"]
    known: Float64[Tensor, "batch seq"]
    best: Float64[Tensor, "batch seq"]


Named = Callable[[str], tuple[list[int], Truth]]
"""The tokens and the truth of the document of a name."""


def laid_out(tokens: Tokens, start: int, stop: int, named: Named, n_features: int) -> BlockTruth:
    """The truth of blocks start, ..., stop - 1. Raises MismatchError where a token is not its document's."""
    blocks = tokens.blocks(start, stop)
    usable = blocks.usable.reshape(-1)
    ids, documents = blocks.tokens.reshape(-1), blocks.documents.reshape(-1)
    features = torch.zeros(len(ids), n_features, dtype=torch.bool)
    known, best = (torch.full((len(ids),), torch.nan, dtype=torch.float64) for _ in range(2))
    for document in documents[usable].unique().tolist():
        at = (usable & (documents == document)).nonzero().flatten()
        name = tokens.document_name(document)
        own, truth = named(name)
        before = _before(tokens, start, document) if document == documents[0] else 0
        here = slice(before, before + len(at))
        if own[here] != ids[at].tolist():
            raise MismatchError(
                f"the tokens of document '{name}' are not this language's: pack its documents with its tokenizer"
            )
        features[at], known[at], best[at] = truth.features[here], truth.known[here], truth.best[here]
    shape = blocks.tokens.shape
    return BlockTruth(features.view(*shape, n_features), known.view(shape), best.view(shape))


def _before(tokens: Tokens, start: int, document: int) -> int:
    """How many tokens of the document are in the blocks before `start`."""
    n = 0
    for block in range(start - 1, -1, -1):
        part = tokens.blocks(block, block + 1)
        here = int((part.usable & (part.documents == document)).sum())
        if here == 0:
            break
        n += here
    return n
