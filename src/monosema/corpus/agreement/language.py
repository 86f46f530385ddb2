"""Agreement: the verb has the number of its subject; what stands between them says nothing of it.

    kind        position 0   1   2     3     4   5         6        7        8
    simple               BOS The keys  often are .
    beside               BOS The keys  near  the cabinet   often    are      .
    relative             BOS The keys  that  the guest     likes    often    are   .

Nouns, their numbers, prepositions, adverbs and verbs are drawn apart from one another, so nothing but the subject's
number tells the number of the last verb, and nothing but the inner noun's that of the verb of a relative clause. The
same inner noun is a subject in one kind of sentence, and between subject and verb in another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from monosema.core.config import require
from monosema.corpus.agreement.config import KINDS, AgreementConfig, Kind

NOTHING = -100
"""Marks tokens that need not be told."""

NOUNS = (
    *("author", "doctor", "teacher", "pilot", "farmer", "driver", "friend", "guest", "girl", "boy", "aunt", "dancer"),
    *("key", "cabinet", "door", "car", "table", "desk", "window", "garden", "lamp", "boat", "tower", "letter"),
)
PREPOSITIONS = ("near", "behind", "beside", "above")
RELATIVE = ("like", "know", "need", "paint")
ADVERBS = ("often", "surely", "now", "still")
VERBS = (("is", "are"), ("was", "were"), ("has", "have"), ("does", "do"))

SUBJECT, INNER = 2, 5
"""Where the subject is, and the other noun."""

LENGTH = 10
"""Tokens of the longest sentence."""


@dataclass(frozen=True)
class Phrases:
    """Subjects with what follows them up to the verb, all of one kind; numbers of words in the tuples above.

    plural, other_plural   the number of the subject, and of the noun that stands between (or of none)
    link                   the preposition, or the relative clause's verb
    adverb                 -1 for none
    """

    kind: Kind
    subject: Int64[Tensor, "n"]
    plural: Bool[Tensor, "n"]
    other: Int64[Tensor, "n"]
    other_plural: Bool[Tensor, "n"]
    link: Int64[Tensor, "n"]
    adverb: Int64[Tensor, "n"]

    def __len__(self) -> int:
        return len(self.subject)

    def flipped(self, subject: bool = True, other: bool = True) -> "Phrases":
        """The same words with the other number of the subject, of the noun between, or of both."""
        return replace(self, plural=self.plural ^ subject, other_plural=self.other_plural ^ other)


@dataclass(frozen=True)
class Sentences:
    """Sentences of all kinds, BOS after their ends, and the verbs that are to be told: `targets[i, t]` is the token
    after tokens[i, t] where that is a verb, else NOTHING."""

    tokens: Int64[Tensor, "n 10"]
    targets: Int64[Tensor, "n 10"]


@final
class Agreement:
    """The language of `config`."""

    def __init__(self, config: AgreementConfig) -> None:
        self.config = config

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Every token; each noun and each verb is two, singular and plural."""
        nouns = (form for noun in NOUNS for form in (noun, f"{noun}s"))
        inner = (form for verb in RELATIVE for form in (f"{verb}s", verb))
        verbs = (form for pair in VERBS for form in pair)
        return ("BOS", "The", "the", "that", ".", *PREPOSITIONS, *ADVERBS, *nouns, *inner, *verbs)

    @cached_property
    def _at(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words)}

    @property
    def verbs(self) -> Int64[Tensor, "verb 2"]:
        """The tokens of each verb, singular and plural."""
        return torch.arange(2 * len(VERBS)).view(-1, 2) + self._at[VERBS[0][0]]

    def phrases(self, n: int, kind: Kind, draws: torch.Generator) -> Phrases:
        """`n` of one kind."""

        def among(size: int) -> Tensor:
            return torch.randint(size, (n,), generator=draws)

        has = torch.rand(n, generator=draws) < self.config.adverbs
        links = {"simple": 1, "beside": len(PREPOSITIONS), "relative": len(RELATIVE)}
        subject, plural, other, other_plural = among(len(NOUNS)), among(2), among(len(NOUNS)), among(2)
        adverb = torch.where(has, among(len(ADVERBS)), -1)
        return Phrases(kind, subject, plural.bool(), other, other_plural.bool(), among(links[kind]), adverb)

    def prompts(self, phrases: Phrases) -> Int64[Tensor, "n token"]:
        """The tokens up to the verb; all phrases with an adverb, or all without."""
        adverbs = bool((phrases.adverb >= 0).all())
        require(adverbs or bool((phrases.adverb < 0).all()), "prompts of one length all have an adverb, or none has")
        columns = self._columns(phrases)
        return torch.stack(columns if adverbs else columns[:-1], 1)

    def _columns(self, phrases: Phrases) -> list[Tensor]:
        """Token by token up to the adverb, which is there."""
        at, n = self._at, len(phrases)

        def always(word: str) -> Tensor:
            return torch.full((n,), at[word])

        subject, other = (
            at[NOUNS[0]] + 2 * noun + number
            for noun, number in ((phrases.subject, phrases.plural), (phrases.other, phrases.other_plural))
        )
        start = [always("BOS"), always("The"), subject]
        between = {
            "simple": [],
            "beside": [at[PREPOSITIONS[0]] + phrases.link, always("the"), other],
            "relative": [
                always("that"),
                always("the"),
                other,
                at[f"{RELATIVE[0]}s"] + 2 * phrases.link + phrases.other_plural,
            ],
        }[phrases.kind]
        return [*start, *between, at[ADVERBS[0]] + phrases.adverb.clamp(min=0)]

    def draw(self, n: int, draws: torch.Generator) -> Sentences:
        """`n` sentences, every third of a kind."""
        parts = [self._sentences(part, draws) for part in self._of_every_kind(n, draws)]
        return Sentences(torch.cat([part.tokens for part in parts]), torch.cat([part.targets for part in parts]))

    def _of_every_kind(self, n: int, draws: torch.Generator) -> list[Phrases]:
        share = torch.arange(n).tensor_split(len(KINDS))
        return [self.phrases(len(part), kind, draws) for part, kind in zip(share, KINDS, strict=True) if len(part)]

    def _sentences(self, phrases: Phrases, draws: torch.Generator) -> Sentences:
        verbs = self.verbs[torch.randint(len(VERBS), (len(phrases),), generator=draws), phrases.plural.long()]
        columns, there = self._columns(phrases), phrases.adverb >= 0
        last, stop = len(columns) - 1, self._at["."]
        tokens = torch.zeros(len(phrases), LENGTH, dtype=torch.int64)
        tokens[:, :last] = torch.stack(columns[:-1], 1)
        # With an adverb: adverb, verb, stop. Without: verb, stop.
        tokens[:, last] = torch.where(there, columns[-1], verbs)
        tokens[:, last + 1] = torch.where(there, verbs, stop)
        tokens[:, last + 2] = torch.where(there, stop, 0)
        targets = torch.full_like(tokens, NOTHING)
        targets[:, last - 1] = torch.where(there, NOTHING, verbs)
        targets[:, last] = torch.where(there, verbs, NOTHING)
        if phrases.kind == "relative":
            targets[:, INNER] = tokens[:, INNER + 1]
        return Sentences(tokens, targets)

    def text(self, tokens: Sequence[int]) -> str:
        """A sentence as it is written, without BOS."""
        return " ".join(self.words[token] for token in tokens if token).replace(" .", ".")
