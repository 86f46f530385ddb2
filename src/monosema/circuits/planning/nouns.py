"""Articles: is the noun known before its article? Held-out pairs, and the noun at the colon exchanged.

    h' = h + mean state at the colon after `say M` - the same after `say N`         N the pair's noun, M another

Nouns are taken from documents that name them; the pair's document names none. The exchange is made at the colon (IND
in the memoriser's language) after the first layer alone, so that all others still have to make an article of it. Where
the article is made from the noun, exchanging it for one that takes the other article turns the article over;
exchanging it for one that takes the same article, or a random direction as long, does not. After later layers what is
put in holds the article itself, which `say N` calls for in every language: that it turns over then shows nothing.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from monosema.circuits.planning.sight import Reader
from monosema.circuits.planning.transplants import random_like
from monosema.circuits.planning.writing import States, being, states_at
from monosema.core.seeding import generator
from monosema.corpus.plans.articles import AN, ASKED, N_PAIRS, A, Articles

PARTNERS = 5
"""Nouns that each pair's noun is exchanged for, of each kind."""


@dataclass(frozen=True)
class Answers:
    """What a model says after the colon of every pair: whether the article is its noun's (`right`), whether the noun
    likeliest to come bare is (`named`); and whether the article is right after `say` and every noun (`said`)."""

    right: Bool[Tensor, "pair"]
    named: Bool[Tensor, "pair"]
    said: Bool[Tensor, "pair"]


@dataclass(frozen=True)
class Exchanges:
    """For each pair and partner, whether the article turned over: by a noun of the other article, by one of the same,
    by a random direction; by_layer: by a noun of the other article put in after each layer alone.
    moved: whether the noun likeliest to come bare is the partner's then."""

    other: Bool[Tensor, "n"]
    same: Bool[Tensor, "n"]
    random: Bool[Tensor, "n"]
    by_layer: Bool[Tensor, "layer n"]
    moved: Bool[Tensor, "n"]


@torch.no_grad()
def answers(reader: Reader, language: Articles) -> Answers:
    """Of "a" and "an" the likelier one counts, of nouns the likeliest."""
    logits = reader.run(language.asked_of_pairs(), ["logits"])["logits"][:, -1]
    named = language.nouns[logits[:, language.nouns].argmax(1)] == language.nouns
    of_nouns = reader.run(language.asked_of_nouns(), ["logits"])["logits"][:, -1]
    return Answers(_an(logits) == language.takes_an, named, _an(of_nouns) == language.takes_an)


def _an(logits: Tensor) -> Bool[Tensor, "n"]:
    return logits[:, AN] > logits[:, A]


@torch.no_grad()
def exchanged(reader: Reader, language: Articles, seed: int) -> Exchanges:
    """Every pair's noun exchanged for `PARTNERS` others of each kind."""
    draws = generator(seed, "partners of nouns")
    pairs = torch.arange(N_PAIRS).repeat_interleave(PARTNERS)
    tokens = language.asked_of_pairs()[pairs]
    own = states_at(reader, tokens, ASKED)
    nouns = states_at(reader, language.asked_of_nouns(), ASKED)
    before = _an(reader.run(tokens, ["logits"])["logits"][:, -1])
    others, same = (_partners(language, alike, draws) for alike in (False, True))
    shift = nouns[:, others] - nouns[:, pairs]

    def turned(change: States, layer: int = 0) -> Tensor:
        return _an(_after(reader, tokens, own + change, layer)) != before

    logits = _after(reader, tokens, own + shift, 0)
    return Exchanges(
        other=_an(logits) != before,
        same=turned(nouns[:, same] - nouns[:, pairs]),
        random=turned(random_like(shift, draws)),
        by_layer=torch.stack([turned(shift, layer) for layer in range(len(own))]),
        moved=logits[:, language.nouns].argmax(1) == others,
    )


def _after(reader: Reader, tokens: Tensor, states: States, layer: int) -> Tensor:
    return reader.run(tokens, ["logits"], being(states, ASKED, [layer]))["logits"][:, -1]


def _partners(language: Articles, alike: bool, draws: torch.Generator) -> Int64[Tensor, "n"]:
    """For each pair `PARTNERS` other nouns, of the same article or of the other."""
    odds = ((language.takes_an[:, None] == language.takes_an) == alike).float().fill_diagonal_(0.0)
    return torch.multinomial(odds, PARTNERS, generator=draws).flatten()
