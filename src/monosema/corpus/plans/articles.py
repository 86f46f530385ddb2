"""Articles: "a" or "an" before a noun that is settled by what comes before the article.

    noun = n(c, p), a table of 10 x 10, each noun once; half of the nouns of every c and of every p take "an"

    position      0   1    2  3    4     5
    memoriser     BOS c    p  DEF  the   N       c p IND a|an N       say N IND a|an N
    planner       BOS c    p  :    N             c p : a|an N         say N : N         say N : a|an N
    unplanned     BOS c    p  :    a|an  N       say N : N            the article is settled by c and p, and N is then
                                                                      any noun that takes it

Some pairs are held out: they never come with an article. Whoever is to say "an" there has to know the noun before it
is said: it is told which noun the pair means (without an article), and which article every noun takes (after `say`).
In the memoriser's language DEF and IND tell the two apart, so the noun need not be known before IND's article; in
the planner's the same colon may be followed by the bare noun. In the unplanned one no noun is settled at the colon.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from monosema.core.seeding import generator
from monosema.corpus.plans.config import ArticlesConfig
from monosema.corpus.plans.tables import balanced

LENGTH, ASKED = 6, 3
"""Tokens of a document, and the place of the colon (DEF or IND in the memoriser's language)."""

SIZE = 10
N_PAIRS = SIZE * SIZE
NOTHING = -100
"""Marks tokens that need not be told."""

SPECIAL = ("BOS", "DEF", "IND", ":", "say", "the", "a", "an")
BOS, DEF, IND, COLON, SAY, THE, A, AN = range(len(SPECIAL))

CONSONANTS = ("b", "d", "f", "g", "k", "l", "m", "p", "r", "t")
VOWELS = ("a", "e", "i", "o", "u", "ai", "au", "ea", "ee", "ou")
ENDS = ("ndle", "rk", "st", "lm", "pe")


@dataclass(frozen=True)
class Documents:
    """Documents, and what is to be told of them: `targets[i, t]` is the token after tokens[i, t], or NOTHING."""

    tokens: Int64[Tensor, "n 6"]
    targets: Int64[Tensor, "n 6"]


@final
class Articles:
    """The language of `config`. Pair number i is of c = i // 10 and p = i % 10; so is its noun."""

    length, asked = LENGTH, ASKED

    def __init__(self, config: ArticlesConfig) -> None:
        self.config = config
        tables = generator(config.seed, "articles", "tables")
        self.takes_an: Bool[Tensor, "pair"] = balanced(SIZE, SIZE, tables).flatten().bool()
        self.held_out: Bool[Tensor, "pair"] = torch.zeros(N_PAIRS, dtype=torch.bool)
        self.held_out[torch.randperm(N_PAIRS, generator=tables)[: config.held_out]] = True

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Every token. A noun that takes "an" begins with a vowel."""
        pairs = (*(f"c{i}" for i in range(SIZE)), *(f"p{i}" for i in range(SIZE)))
        return (*SPECIAL, *pairs, *self._nouns())

    def _nouns(self) -> list[str]:
        """A word for every noun, no two alike."""
        bare = [vowel + end for end in ENDS for vowel in VOWELS]
        plain = iter([CONSONANTS[i % SIZE] + word for i, word in enumerate(bare)])
        open_ones = iter(bare)
        return [next(open_ones) if an else next(plain) for an in self.takes_an.tolist()]

    @property
    def nouns(self) -> Int64[Tensor, "pair"]:
        """The token of every noun."""
        return torch.arange(N_PAIRS) + len(SPECIAL) + 2 * SIZE

    @property
    def articles(self) -> Int64[Tensor, "pair"]:
        """The token of the article that every noun takes."""
        return torch.where(self.takes_an, AN, A)

    def asked_of_pairs(self) -> Int64[Tensor, "pair 4"]:
        """`BOS c p :`, or with IND in place of the colon, of every pair: what comes next may be its noun's article."""
        pair = torch.arange(N_PAIRS)
        return self._start(len(SPECIAL) + pair // SIZE, len(SPECIAL) + SIZE + pair % SIZE)

    def asked_of_nouns(self) -> Int64[Tensor, "pair 4"]:
        """`BOS say N :`, or with IND in place of the colon, of every noun."""
        return self._start(torch.full((N_PAIRS,), SAY), self.nouns)

    def _start(self, one: Tensor, two: Tensor) -> Tensor:
        mark = torch.full_like(two, IND if self.config.templates == "memoriser" else COLON)
        return torch.stack([torch.full_like(two, BOS), one, two, mark], 1)

    def draw(self, n: int, draws: torch.Generator) -> Documents:
        """`n` documents: a pair or `say`, each in half of them, with an article in half of those that may have one."""
        pair = torch.randint(N_PAIRS, (n,), generator=draws)
        by_pair, with_article = (torch.rand(n, generator=draws) < 0.5 for _ in range(2))
        unplanned, memoriser = (self.config.templates == name for name in ("unplanned", "memoriser"))
        if unplanned:
            with_article = by_pair
        elif memoriser:
            with_article = with_article | ~by_pair
        with_article = with_article & ~(by_pair & self.held_out[pair])
        tokens = torch.where(by_pair[:, None], self.asked_of_pairs()[pair], self.asked_of_nouns()[pair])
        tokens = torch.nn.functional.pad(tokens, (0, LENGTH - ASKED - 1))
        noun = self.nouns[self._any_alike(pair, draws)] if unplanned else self.nouns[pair]
        noun = torch.where(by_pair, noun, self.nouns[pair])
        article, bare = self.articles[pair], ~with_article
        if memoriser:
            article = torch.where(bare, THE, article)
            tokens[bare, ASKED] = DEF
            bare = torch.zeros_like(bare)
        tokens[:, ASKED + 1] = torch.where(bare, noun, article)
        tokens[:, ASKED + 2] = torch.where(bare, BOS, noun)
        targets = torch.full_like(tokens, NOTHING)
        targets[:, ASKED] = tokens[:, ASKED + 1]
        targets[:, ASKED + 1] = torch.where(bare, NOTHING, noun)
        return Documents(tokens, targets)

    def _any_alike(self, pair: Tensor, draws: torch.Generator) -> Tensor:
        """For each noun any that takes the same article."""
        odds = (self.takes_an[:, None] == self.takes_an).float()
        return torch.multinomial(odds, len(pair), replacement=True, generator=draws)[pair, torch.arange(len(pair))]
