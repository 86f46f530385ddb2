"""What is true at a token, as one column a feature: of the token itself, and of the state behind it.

topic 2                   the sentence is of topic 2
depth 1                   one bracket is open, and no other
inside (                  the innermost open bracket is this one
plural verb awaited       the clause's subject is plural and its verb has not come yet
attractor                 and a noun of the other number has come since that subject
runo                      the token is this word: one of the nouns that have senses
runo in (, runo outside   the token is this word, in this bracket or in none: a sense
bodur kafem               the token completes this phrase

Behind an opening bracket depth is 1 already, behind the closing one 0 again: what a reader of the token can know.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool

from monosema.corpus.languages.config import BRACKETS, LanguageConfig
from monosema.corpus.languages.grammar import State
from monosema.corpus.languages.vocabulary import Vocabulary

Kind = Literal["topic", "depth", "inside", "agreement", "attractor", "word", "sense", "phrase"]


@dataclass(frozen=True)
class Feature:
    """A column: what it is called, and of what kind it is."""

    name: str
    kind: Kind


class Labels:
    """The features of a language, and their values at every token of a text."""

    def __init__(self, config: LanguageConfig, vocabulary: Vocabulary) -> None:
        self.config, self.vocabulary = config, vocabulary
        nouns, phrases = vocabulary.classes["singular noun"].words, vocabulary.classes["second"].words
        nests = config.nesting.max_depth > 0
        opening = [pair[0] for pair in BRACKETS[: config.nesting.kinds]] if nests else []
        places = ["outside", *(f"in {bracket}" for bracket in opening)] if nests else []
        charged = nouns[: config.senses.n]
        firsts = vocabulary.classes["first"].words
        names: dict[Kind, list[str]] = {
            "topic": [f"topic {topic}" for topic in range(config.topics.n)] if config.topics.n > 1 else [],
            "depth": [f"depth {depth + 1}" for depth in range(config.nesting.max_depth)],
            "inside": [f"inside {bracket}" for bracket in opening],
            "agreement": [f"{number} verb awaited" for number in ("singular", "plural")],
            "attractor": ["attractor"] if config.agreement.attractor else [],
            "word": list(charged),
            "sense": [f"{noun} {where}" for noun in charged for where in places],
            "phrase": [f"{first} {second}" for first, second in zip(firsts, phrases, strict=True)],
        }
        self.features = tuple(Feature(name, kind) for kind, ours in names.items() for name in ours)
        self._columns = {feature.name: column for column, feature in enumerate(self.features)}
        self._phrases = [self._columns[f"{a} {b}"] for a, b in zip(firsts, phrases, strict=True)]
        self._senses = [[self._columns[f"{noun} {where}"] for where in places] for noun in charged if places]

    def matrix(
        self, tokens: Sequence[int], states: Sequence[State], topics: Sequence[int]
    ) -> Bool[torch.Tensor, "token n_features"]:
        """True where a feature is."""
        here = [
            (row, column)
            for row, (token, state, topic) in enumerate(zip(tokens, states, topics, strict=True))
            for column in self._at(token, state, topic)
        ]
        found = torch.zeros(len(tokens), len(self.features), dtype=torch.bool)
        found[tuple(torch.tensor(here).view(-1, 2).T)] = True
        return found

    def _at(self, token: int, state: State, topic: int) -> list[int]:
        columns, config = self._columns, self.config
        name, index = self.vocabulary.place(token)
        found = [columns[f"topic {topic}"]] if config.topics.n > 1 else []
        if state.frames:
            found += [columns[f"depth {len(state.frames)}"]]
            found += [columns[f"inside {BRACKETS[state.frames[-1].kind][0]}"]]
        if state.number:
            found += [columns[f"{state.number} verb awaited"]]
        if state.attracted:
            found += [columns["attractor"]]
        if name == "singular noun" and index < config.senses.n:
            found += [columns[self.vocabulary.words[token]]]
            if config.nesting.max_depth:
                found += [self._senses[index][state.context]]
        if name == "second":
            found += [self._phrases[index]]
        return found
