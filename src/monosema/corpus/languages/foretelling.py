"""What comes next, exactly: p(token | tokens before, topic), and without the topic by Bayes's rule over topics.

    p(word | state, topic) = p(class | state) p(word | class, topic)          the words settle the state
    belief <- belief * p(word | class, topic), scaled to 1                     after every word
    belief <- (1 - switch) belief + switch (1 - belief) / (n - 1)              after a sentence

The second is the forward recursion of a hidden Markov model: what a reader who knows the language and has read the
document from its beginning can know, so that no model predicts it better.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from monosema.corpus.languages.config import TopicConfig
from monosema.corpus.languages.grammar import Choice, Grammar, State
from monosema.corpus.languages.vocabulary import Vocabulary


def losses(
    grammar: Grammar, vocabulary: Vocabulary, tokens: Sequence[int], topics: Sequence[int]
) -> tuple[Float64[Tensor, "token"], Float64[Tensor, "token"]]:
    """-log p of every token, in nats: knowing its topic, and by the tokens before alone."""
    state, belief = State(), first_belief(grammar.config.topics)
    known, best = [], []
    for token, topic in zip(tokens, topics, strict=True):
        name, index = vocabulary.place(token)
        p = _of(grammar.choices(state), name, index)
        within = vocabulary.classes[name].probabilities
        by_topic = [1.0] * len(within) if p.word >= 0 else [row[index] for row in within]
        known.append(-math.log(p.p * by_topic[topic]))
        joint = [b * word for b, word in zip(belief, by_topic, strict=True)]
        best.append(-math.log(p.p * sum(joint)))
        belief = _next_belief(joint, name, grammar.config.topics)
        state = grammar.after(state, name, index)
    return torch.tensor(known, dtype=torch.float64), torch.tensor(best, dtype=torch.float64)


def foretold(
    grammar: Grammar, vocabulary: Vocabulary, tokens: Sequence[int], topics: Sequence[int] | None
) -> Float64[Tensor, "token d_vocab"]:
    """The whole distribution of every token; `topics` None: by the tokens before alone."""
    state, belief = State(), first_belief(grammar.config.topics)
    rows = torch.zeros(len(tokens), len(vocabulary), dtype=torch.float64)
    for row, token in enumerate(tokens):
        if topics is not None:
            belief = [float(topics[row] == topic) for topic in range(len(belief))]
        for choice in grammar.choices(state):
            words = vocabulary.classes[choice.name]
            if choice.word >= 0:
                rows[row, words.first + choice.word] = choice.p
            else:
                mixed = torch.tensor(belief, dtype=torch.float64) @ torch.tensor(words.probabilities).double()
                rows[row, words.first : words.first + len(words.words)] = choice.p * mixed
        name, index = vocabulary.place(token)
        if topics is None:
            fixed = _of(grammar.choices(state), name, index).word >= 0
            within = vocabulary.classes[name].probabilities
            joint = belief if fixed else [b * each[index] for b, each in zip(belief, within, strict=True)]
            belief = _next_belief(joint, name, grammar.config.topics)
        state = grammar.after(state, name, index)
    return rows


def first_belief(topics: TopicConfig) -> list[float]:
    """Every topic alike."""
    return [1 / topics.n] * topics.n


def _next_belief(joint: list[float], name: str, topics: TopicConfig) -> list[float]:
    total = sum(joint)
    belief = [each / total for each in joint]
    if name == "stop" and topics.switch:
        belief = [(1 - topics.switch) * b + topics.switch * (1 - b) / (topics.n - 1) for b in belief]
    return belief


def _of(choices: tuple[Choice, ...], name: str, index: int) -> Choice:
    """The choice that a word is of."""
    return next(c for c in choices if c.name == name and c.word in (-1, index))
