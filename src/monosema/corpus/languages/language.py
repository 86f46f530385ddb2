"""A language: its documents, its tokenizer, and what is known about them.

    documents()   Document(id, text), `n_documents` of them; passage(i) is the i-th, word by word, for any i
    tokenizer     one token a word
    truth(i)      the features of every token of passage i, and the best losses there
    entropy       what no model can do better than, in nats per token
    frequencies   of every token

Passage i of a config is the same on every machine and in every order of calls.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import final

import torch
from jaxtyping import Float64

from monosema.core import fingerprints
from monosema.core.config import to_json
from monosema.core.errors import MismatchError
from monosema.core.seeding import derive
from monosema.corpus.document import Document
from monosema.corpus.languages.config import LanguageConfig
from monosema.corpus.languages.expectation import Entropy, clause_totals, topic_entropy
from monosema.corpus.languages.foretelling import foretold, losses
from monosema.corpus.languages.grammar import Grammar, State, fallen
from monosema.corpus.languages.labelling import Feature, Labels
from monosema.corpus.languages.truth import BlockTruth, Truth, laid_out
from monosema.corpus.languages.vocabulary import Vocabulary
from monosema.corpus.tokenizer import Tokenizer
from monosema.corpus.tokens import Tokens


@dataclass(frozen=True)
class Passage:
    """A document word by word: its tokens, the state behind each, and the topic of each."""

    tokens: list[int]
    states: list[State]
    topics: list[int]


@final
class Language:
    """The language of `config`."""

    def __init__(self, config: LanguageConfig) -> None:
        self.config = config
        self.vocabulary = Vocabulary(config)
        self.grammar = Grammar(config)
        self._labels = Labels(config, self.vocabulary)

    @cached_property
    def fingerprint(self) -> str:
        return fingerprints.of_bytes([repr(to_json(self.config)).encode()])

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return self.vocabulary.tokenizer()

    @property
    def features(self) -> tuple[Feature, ...]:
        """The columns of a truth."""
        return self._labels.features

    def documents(self) -> Iterator[Document]:
        """The documents of the corpus."""
        for i in range(self.config.n_documents):
            yield Document(f"{self.fingerprint}#{i}", self.text(self.passage(i)))

    def text(self, passage: Passage) -> str:
        """Its words with spaces between."""
        return " ".join(self.vocabulary.words[token] for token in passage.tokens)

    def passage(self, i: int) -> Passage:
        """Document `i`; there is one for every i from 0 on."""
        random = Random(derive(self.config.seed, "passage", i)).random
        topics, classes = self.config.topics, self.vocabulary.classes
        topic = int(random() * topics.n)
        passage, state, left = Passage([], [], []), State(), self.config.sentences
        while left:
            choice = fallen(self.grammar.choices(state), random())
            words = classes[choice.name]
            index = words.pick(topic, random()) if choice.word < 0 else choice.word
            state = self.grammar.after(state, choice.name, index)
            passage.tokens.append(words.first + index)
            passage.states.append(state)
            passage.topics.append(topic)
            if choice.name == "stop":
                left -= 1
                if topics.switch and random() < topics.switch:
                    topic = (topic + 1 + int(random() * (topics.n - 1))) % topics.n
        return passage

    def truth(self, i: int) -> Truth:
        """What is true at every token of passage `i`."""
        return self._truth(self.passage(i))

    def _truth(self, passage: Passage) -> Truth:
        told = self.losses(passage.tokens, passage.topics)
        return Truth(self._labels.matrix(passage.tokens, passage.states, passage.topics), *told)

    def losses(
        self, tokens: list[int], topics: list[int]
    ) -> tuple[Float64[torch.Tensor, "token"], Float64[torch.Tensor, "token"]]:
        """-log p of every token of a text from its beginning, nats: if its topics were these, and not knowing them."""
        return losses(self.grammar, self.vocabulary, tokens, topics)

    def truth_of(self, tokens: Tokens, start: int, stop: int) -> BlockTruth:
        """What is true at every position of blocks start, ..., stop - 1 of this language's corpus, packed by its
        tokenizer. Raises MismatchError for tokens that are not its documents'."""
        return laid_out(tokens, start, stop, self._named, len(self.features))

    def _named(self, name: str) -> tuple[list[int], Truth]:
        whose, _, number = name.partition("#")
        if whose != self.fingerprint or not number.isdigit():
            raise MismatchError(
                f"document '{name}' is not of this language ({self.fingerprint}): give the config it was made with"
            )
        passage = self.passage(int(number))
        return passage.tokens, self._truth(passage)

    def next_token(self, i: int, *, topic_known: bool) -> Float64[torch.Tensor, "token d_vocab"]:
        """The exact distribution of every token of passage `i`, given those before it, and the topic or not."""
        passage = self.passage(i)
        return foretold(self.grammar, self.vocabulary, passage.tokens, passage.topics if topic_known else None)

    @cached_property
    def _totals(self) -> Float64[torch.Tensor, "topic total"]:
        return clause_totals(self.grammar, self.vocabulary)

    @property
    def entropy(self) -> Entropy:
        """The bounds of the best possible loss, nats per token, by computation."""
        known, n_tokens = (float(total) for total in self._totals[:, :2].mean(0))
        hidden = topic_entropy(self.config.topics, self.config.sentences)
        return Entropy(known / n_tokens, (known + hidden / self.config.sentences) / n_tokens)

    @property
    def frequencies(self) -> Float64[torch.Tensor, "d_vocab"]:
        """The share of all tokens that each word of the vocabulary is, by computation."""
        mean = self._totals.mean(0)
        return mean[2:] / mean[1]

    @property
    def tokens_per_document(self) -> float:
        """On average, by computation."""
        return self.config.sentences * float(self._totals[:, 1].mean())
