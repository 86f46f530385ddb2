"""Text sampled behind a prompt, with a feature changed at every position, the new ones too.

    tokens --> clean pass, begun anew for each token --> a --> (a' - a) d added --> ... --> next token

A step costs one pass: what was read on the way is gone on from, where that is exact. Three texts that are
drawn from the same random numbers differ only by what was changed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.seeding import generator
from monosema.features.effects.scene import Route
from monosema.features.effects.subjects import Dictionary
from monosema.features.live.prompts import Tokenizer, separator_of
from monosema.features.live.rows import Sampled
from monosema.features.live.settings import Draw
from monosema.features.reading import Part, columns

Last = Callable[[Tensor], Tensor]
"""Tokens [1, seq] to the last residual stream at the last of them, [1, d_model]."""

Changing = Callable[[Tensor, Tensor], Tensor]
"""A feature's activations [1, seq] and the usable positions, to a - a', what is taken off."""


def sampled(
    ids: Sequence[int], last: Last, unembed: Callable[[Tensor], Tensor], tokenizer: Tokenizer, room: int, draw: Draw
) -> Sampled:
    """At most `draw.n_tokens` tokens, and at most `room`. A separator of documents ends the text."""
    separator = separator_of(tokenizer)
    random, whole, ended = generator(draw.seed, "sampled text"), list(ids), ""
    for i in range(draw.n_tokens):
        if i >= room:
            ended = "the model's context is full"
            break
        logits = unembed(last(torch.tensor([whole])))[0, : tokenizer.vocab_size]
        token = drawn(logits, draw.temperature, random)
        if token == separator:
            ended = "the model ended the document"
            break
        whole.append(token)
    texts = tokenizer.token_texts(whole)
    return Sampled(tuple(whole[len(ids) :]), tuple(texts[len(ids) :]), ended)


def drawn(logits: Float[Tensor, "d_vocab"], temperature: float, random: torch.Generator) -> int:
    """A token, by its probability at a temperature; one random number is used whatever comes out."""
    point = torch.rand(1, generator=random, dtype=torch.float64)
    if temperature == 0:
        return int(logits.argmax())
    shares = (logits.double().cpu() / temperature).softmax(0).cumsum(0)
    return min(int(torch.searchsorted(shares, point * shares[-1], right=True)), len(logits) - 1)


def plainly(route: Route) -> Last:
    """The model as it is."""

    @torch.no_grad()
    def last(tokens: Tensor) -> Tensor:
        return route.model.run(tokens.to(route.model.device), read=[route.final])[route.final][:, -1]

    return last


@dataclass(frozen=True)
class Altered:
    """The model with a feature's activation changed, in a direction; nothing is changed at a separator.

    The activations that are changed are those of the unchanged pass over the same tokens.
    """

    route: Route
    dictionary: Dictionary
    feature: int
    changing: Changing
    direction: Float[Tensor, "1 d_out"]
    separator: int | None

    @torch.no_grad()
    def __call__(self, tokens: Tensor) -> Tensor:
        route, model = self.route, self.route.model
        sites = list(dict.fromkeys([*self.dictionary.reads, *filter(None, [route.start])]))
        found = model.run(tokens.to(model.device), read=sites)
        usable = torch.ones_like(tokens, dtype=torch.bool) if self.separator is None else tokens != self.separator
        rows = {site: found[site].flatten(2)[usable.to(model.device)].float().cpu() for site in self.dictionary.reads}
        part = Part(torch.tensor([0]), tokens, torch.zeros_like(tokens), usable, rows)
        acts = torch.zeros(tokens.shape)
        acts[usable] = columns(part.codes(self.dictionary), torch.tensor([self.feature]))[:, 0]
        removed = self.changing(acts, usable).to(model.device)
        kept = found[route.start or sites[0]]
        return route.without(tokens.to(model.device), kept, removed, self.direction)[:, -1]
