"""What a model in training is asked: the inputs of a pass, the tokens it has to say, and which of these count.

    next token     x1 x2 x3 x4                     -->  x2 x3 x4           GPT-2, Mamba
    masked token   x1 [mask] x3 x4                 -->  x2                 BERT
    target text    x1 [span 0] x4, start [span 0]  -->  [span 0] x2 x3     T5

Masked tokens are 15% of the text, at least one a block; 80% of them become the mask token, 10% another token, 10%
stay (Devlin et al. 2019, arXiv:1810.04805). Spans are 15% of a block, 3 tokens long on average, as many in every
block, so that none is padded (Raffel et al. 2020, arXiv:1910.10683; their code always cuts out the last token and
never the first, here both are like any other). Only text counts: neither BOS nor padding, nor the tokens that mark
spans. The mask, the spans' marks and the decoder's start are tokens after the corpus's own.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.core.errors import DataError
from monosema.models.families import Predicts
from monosema.models.losses import token_losses

SHARE = 0.15
"""Of the tokens, how many are masked or cut out."""

SPAN = 3
"""Tokens in a span, on average."""


@dataclass(frozen=True)
class Text:
    """Blocks of a corpus: token ids, document numbers, what is text (see `lm_config.Blocks`), and its vocabulary."""

    ids: Int64[Tensor, "batch seq"]
    documents: Int64[Tensor, "batch seq"]
    usable: Bool[Tensor, "batch seq"]
    d_vocab: int


@dataclass(frozen=True)
class Task:
    """The arguments of a pass; the token to be said at each position of its logits; of the first `n`, which count,
    and their documents. Positions after the first `n` have nothing to say."""

    inputs: dict[str, Int64[Tensor, "batch _"]]
    targets: Int64[Tensor, "batch seq"]
    counted: Bool[Tensor, "batch n"]
    documents: Int64[Tensor, "batch n"]

    @property
    def n(self) -> int:
        return self.counted.shape[1]

    def losses(self, logits: Float[Tensor, "batch seq d_vocab"]) -> Float[Tensor, "batch n"]:
        """Nats per token."""
        return token_losses(logits, self.targets)[:, : self.n]


def next_token(text: Text, draws: torch.Generator) -> Task:  # noqa: ARG001 - nothing is drawn
    """Each token from those before it."""
    targets = text.ids.roll(-1, dims=1)
    return Task({"input_ids": text.ids}, targets, text.usable[:, 1:], text.documents[:, 1:])


def masked_token(text: Text, draws: torch.Generator) -> Task:
    """Some tokens from all the others."""
    chance = torch.rand(text.ids.shape, generator=draws).masked_fill(~text.usable, torch.inf)
    chosen = ((chance < SHARE) | (chance == chance.min(1, keepdim=True).values)) & text.usable
    fate = torch.rand(text.ids.shape, generator=draws)
    others = torch.randint(text.d_vocab, text.ids.shape, generator=draws)
    shown = text.ids.masked_fill(chosen & (fate < 0.8), text.d_vocab)
    shown = torch.where(chosen & (fate >= 0.9), others, shown)
    return Task({"input_ids": shown}, text.ids, chosen, text.documents)


def target_text(text: Text, draws: torch.Generator) -> Task:
    """What was cut out of a block, from what is left of it. Raises DataError for blocks of one token."""
    batch, length = text.ids.shape
    if length < 2:
        raise DataError("blocks of one token have nothing to cut a span out of: take a longer context")
    n_cut, n_spans = spans(length)
    kept, cut = _pieces(batch, length - n_cut + 2, n_spans + 1, draws), _pieces(batch, n_cut, n_spans, draws)
    kept[:, [0, -1]] -= 1  # a block may begin or end with a span
    ends = torch.cat([torch.stack([kept[:, :-1], cut], 2).flatten(1), kept[:, -1:]], 1).cumsum(1)
    piece = torch.searchsorted(ends, torch.arange(length).expand(batch, length).contiguous(), right=True)
    inside = piece % 2 == 1
    begins = inside & (torch.arange(length) == ends.gather(1, piece - 1 + (piece == 0)))
    marks = text.d_vocab + piece // 2

    def said(mark: Tensor, token: Tensor) -> Tensor:
        return torch.stack([mark, token], 2)[torch.stack([begins, inside], 2)].view(batch, -1)

    targets = said(marks, text.ids)
    start = torch.full((batch, 1), text.d_vocab + n_spans)
    return Task(
        inputs={
            "input_ids": torch.where(begins, marks, text.ids)[begins | ~inside].view(batch, -1),
            "decoder_input_ids": torch.cat([start, targets[:, :-1]], 1),
        },
        targets=targets,
        counted=said(torch.zeros_like(text.usable), text.usable),
        documents=said(text.documents, text.documents),
    )


def spans(length: int) -> tuple[int, int]:
    """How many tokens are cut out of a block of `length`, and in how many spans."""
    n_cut = max(1, round(SHARE * length))
    return n_cut, max(1, round(n_cut / SPAN))


def _pieces(batch: int, n: int, n_pieces: int, draws: torch.Generator) -> Int64[Tensor, "batch pieces"]:
    """Lengths of `n_pieces` pieces, none empty, that `n` falls into, all ways alike."""
    cuts = torch.rand(batch, n - 1, generator=draws).argsort(1)[:, : n_pieces - 1].sort(1).values + 1
    edges = torch.cat([torch.zeros(batch, 1, dtype=torch.int64), cuts, torch.full((batch, 1), n)], 1)
    return edges.diff(dim=1)


OBJECTIVES: dict[Predicts, Callable[[Text, torch.Generator], Task]] = {
    "next token": next_token,
    "masked token": masked_token,
    "target text": target_text,
}
"""The objective of a family, by what it predicts."""
