"""Expectations over all texts of a language, by solving linear equations instead of counting.

    X = R + P X      X [state, total]   what is still to come in this clause, on average
                     R                  of the next word: its entropy, 1 (a token), 1 at its id
                     P                  probabilities of the next state

One clause at a time, innermost first: where a bracket opens, R has all of the clause inside it, and the next state is
that behind the closing bracket.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float64
from torch import Tensor

from monosema.corpus.languages.config import TopicConfig
from monosema.corpus.languages.grammar import Choice, Frame, Grammar, State
from monosema.corpus.languages.vocabulary import Vocabulary, WordClass


@dataclass(frozen=True)
class Entropy:
    """Nats per token. known: of the next token given all before it and the topic; no model's mean loss is lower.
    upper: the same and the entropy of the topics, which is all that not knowing them can cost. The loss of the
    best model lies between the two."""

    known: float
    upper: float


def topic_entropy(topics: TopicConfig, sentences: int) -> float:
    """Nats in the topics of a document."""
    if topics.n == 1:
        return 0.0
    s = topics.switch
    change = 0.0 if s in (0, 1) else -s * math.log(s) - (1 - s) * math.log(1 - s)
    return math.log(topics.n) + (sentences - 1) * (change + s * math.log(topics.n - 1))


def clause_totals(grammar: Grammar, vocabulary: Vocabulary) -> Float64[Tensor, "topic total"]:
    """Of a sentence under each topic: its entropy in nats, its tokens, and how often each word is among them."""
    clauses = _Clauses(grammar, vocabulary)
    return torch.stack([clauses.totals(topic, -1, 0) for topic in range(grammar.config.topics.n)])


class _Clauses:
    def __init__(self, grammar: Grammar, vocabulary: Vocabulary) -> None:
        self.grammar, self.vocabulary = grammar, vocabulary
        self.n_totals = 2 + len(vocabulary)
        self.probabilities = {
            name: torch.tensor(words.probabilities, dtype=torch.float64) for name, words in vocabulary.classes.items()
        }
        self.entropy = cache(lambda name, topic: _entropy(self.probabilities[name][topic].tolist()))
        self.totals = cache(self._solved)
        self.states = cache(self._reached)

    def _solved(self, topic: int, kind: int, depth: int) -> Float64[Tensor, "total"]:
        """Of a clause at `depth`, in a bracket of `kind`, with the word that ends it."""
        states = self.states(kind, depth)
        number = {state: i for i, state in enumerate(states)}
        P = torch.zeros(len(states), len(states), dtype=torch.float64)
        R = torch.zeros(len(states), self.n_totals, dtype=torch.float64)
        for row, (state, moves) in enumerate(states.items()):
            R[row, 0] = _entropy([choice.p for choice in self.grammar.choices(state)])
            for choice, following in moves:
                words = self.vocabulary.classes[choice.name]
                within = self.probabilities[choice.name][topic]
                ids = 2 + words.first
                if choice.word >= 0:
                    within = torch.nn.functional.one_hot(torch.tensor(choice.word), len(within)).double()
                R[row, 0] += choice.p * self.entropy(choice.name, topic) * (choice.word < 0)
                R[row, 1] += choice.p
                R[row, ids : ids + len(within)] += choice.p * within
                for after, indices in following.items():
                    P[row, number[after]] += choice.p * within[indices].sum()
                if choice.name == "open":
                    R[row] += sum(choice.p * p * self.totals(topic, k, depth + 1) for k, p in enumerate(within))
        identity = torch.eye(len(states), dtype=torch.float64)
        return torch.linalg.solve(identity - P, R)[0]

    def _reached(self, kind: int, depth: int) -> dict[State, list[tuple[Choice, dict[State, list[int]]]]]:
        """Every state of such a clause, and of each of its choices the states it leads to, by which words."""
        first = State(frames=(Frame(kind, "", False, "before verb"),) * depth)
        found: dict[State, list[tuple[Choice, dict[State, list[int]]]]] = {}
        waiting = [first]
        while waiting:
            state = waiting.pop()
            if state in found:
                continue
            moves = [(c, self._following(state, c)) for c in self.grammar.choices(state)]
            found[state] = moves
            waiting += [after for _, following in moves for after in following]
        return found

    def _following(self, state: State, choice: Choice) -> dict[State, list[int]]:
        following: dict[State, list[int]] = {}
        if choice.name in ("stop", "close"):
            return following
        for index in _indices(choice, self.vocabulary.classes[choice.name]):
            after = self.grammar.after(state, choice.name, index)
            if choice.name == "open":
                after = self.grammar.after(after, "close", index)
            following.setdefault(after, []).append(index)
        return following


def _indices(choice: Choice, words: WordClass) -> Iterator[int]:
    yield from range(len(words.words)) if choice.word < 0 else (choice.word,)


def _entropy(probabilities: list[float]) -> float:
    return -sum(p * math.log(p) for p in probabilities if p > 0)
