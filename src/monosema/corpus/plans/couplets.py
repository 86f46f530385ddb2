"""Couplets: the end word of the second line is settled by the first line, and all of the second line leads up to it.

    position   0   1  2      3  4        5      6   7   8   9   10
               BOS f  topic  f  f|topic  rhyme  NL  t1  t2  t3  E          f one of 16 fillers

    E = word(class of the rhyme, topic), t_j = f_j(E): random tables of 2, 4 and 4 words; t1 is balanced over the
    classes of every topic and over the topics of every class, so that neither alone says anything of it.

Eight classes of three rhyme words, six topics: 48 end words, the plans. All that a reader of the first line has to
know of it is E, and whether it can be known behind the newline is a matter of which tokens see which.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.core.config import require
from monosema.core.seeding import generator
from monosema.corpus.plans.config import SIGHTS, CoupletsConfig, Sight
from monosema.corpus.plans.tables import balanced, dealt

LENGTH, NEWLINE, END = 11, 6, 10
TOPIC, OTHER_TOPIC, RHYME = 2, 4, 5

RIMES = ("ight", "ain", "ound", "ock", "ell", "air", "ump", "eek")
RHYMES = ("b", "d", "gr")
TOPICS = {"sea": "s", "wood": "w", "castle": "k", "town": "t", "fire": "f", "harvest": "h"}
"""Topics, and how their end words begin."""

FILLERS = (
    *("the", "an", "old", "of", "by", "my", "dark", "far"),
    *("low", "grey", "cold", "in", "from", "long", "near", "high"),
)
LINE = (("so", "yet"), ("we", "you", "they", "none"), ("find", "keep", "lose", "praise"))

N_CLASSES, N_TOPICS = len(RIMES), len(TOPICS)
N_PLANS = N_CLASSES * N_TOPICS


@dataclass(frozen=True)
class Verses:
    """Couplets drawn. plan: the end word of each, a number below 48; first, second: the candidates (the same where
    there is one)."""

    tokens: Int64[Tensor, "n 11"]
    plan: Int64[Tensor, "n"]
    first: Int64[Tensor, "n"]
    second: Int64[Tensor, "n"]

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, rows: Tensor | slice) -> "Verses":
        return Verses(**{name: column[rows] for name, column in vars(self).items()})


@final
class Couplets:
    """The language of `config`. Plan number p is of class p // 6 and topic p % 6."""

    length, newline = LENGTH, NEWLINE

    def __init__(self, config: CoupletsConfig) -> None:
        self.config = config
        tables = generator(config.seed, "couplets", "tables")
        first = balanced(N_CLASSES, N_TOPICS, tables).flatten()
        self._line = torch.stack([first, *(dealt(N_PLANS, len(words), tables) for words in LINE[1:])], 1)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Every token."""
        rhymes = (onset + rime for rime in RIMES for onset in RHYMES)
        ends = (onset + rime for rime in RIMES for onset in TOPICS.values())
        return ("BOS", "NL", *FILLERS, *TOPICS, *rhymes, *(word for words in LINE for word in words), *ends)

    @cached_property
    def _starts(self) -> dict[str, int]:
        """The first token of each kind of word."""
        sizes = {"filler": len(FILLERS), "topic": N_TOPICS, "rhyme": N_CLASSES * len(RHYMES)}
        sizes |= {f"line {j}": len(words) for j, words in enumerate(LINE)} | {"end": N_PLANS}
        starts, at = {}, 2
        for name, size in sizes.items():
            starts[name], at = at, at + size
        return starts

    @cached_property
    def lines(self) -> Int64[Tensor, "plan 4"]:
        """The second line of every plan: t1, t2, t3 and the end word."""
        ends = torch.arange(N_PLANS) + self._starts["end"]
        begins = torch.tensor([self._starts[f"line {j}"] for j in range(len(LINE))])
        return torch.cat([self._line + begins, ends[:, None]], 1)

    def draw(self, n: int, draws: torch.Generator) -> Verses:
        """`n` couplets."""
        starts = self._starts

        def among(size: int) -> Tensor:
            return torch.randint(size, (n,), generator=draws)

        tokens = torch.zeros(n, LENGTH, dtype=torch.int64)
        for place in (1, 3, 4):
            tokens[:, place] = among(len(FILLERS)) + starts["filler"]
        topic, rhyme = among(N_TOPICS), among(N_CLASSES * len(RHYMES))
        tokens[:, TOPIC], tokens[:, RHYME], tokens[:, NEWLINE] = topic + starts["topic"], rhyme + starts["rhyme"], 1
        row = rhyme // len(RHYMES) * N_TOPICS
        first = plan = second = row + topic
        if self.config.candidates == 2:
            other = (topic + 1 + among(N_TOPICS - 1)) % N_TOPICS
            tokens[:, OTHER_TOPIC] = other + starts["topic"]
            second = row + other
            plan = torch.where(torch.rand(n, generator=draws) < self.config.share, first, second)
        tokens[:, NEWLINE + 1 :] = self.lines[plan]
        return Verses(tokens, plan, first, second)

    def text(self, tokens: Int64[Tensor, "seq"]) -> str:
        """The words, the lines apart."""
        return " ".join(self.words[token] for token in tokens.tolist()).replace(" NL ", " / ")

    def sees(self, sight: Sight) -> Bool[Tensor, "query key"]:
        """Which token may look at which, by construction.

        planner    the second line does not see the first: all it knows comes through the newline
        no plan    the newline does not see the first line: nothing of it can be there
        free       every token sees all before it
        """
        require(sight in SIGHTS, f"sight is '{sight}': it must be one of {', '.join(SIGHTS)}")
        sees = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()
        if sight == "planner":
            sees[NEWLINE + 1 :, :NEWLINE] = False
        elif sight == "no plan":
            sees[NEWLINE, :NEWLINE] = False
        return sees

    def foretold(self, verses: Verses, sight: Sight) -> Float[Tensor, "n 4"]:
        """The least loss, in nats, with which each token of each second line can be told from what may be seen."""
        p = self.config.share if self.config.candidates == 2 else 1.0
        plans = torch.stack([verses.first, verses.second], 1)
        odds = torch.tensor([p, 1 - p], dtype=torch.float64).expand(len(verses), 2).clone()
        losses = []
        for j in range(4):
            fits = self.lines[plans, j] == verses.tokens[:, NEWLINE + 1 + j, None]
            right = (odds * fits).sum(1) / odds.sum(1)
            odds = odds * fits
            if j == 0 and sight == "no plan":
                right = torch.full_like(right, 0.5)
            losses.append(-right.log())
        return torch.stack(losses, 1).float()
