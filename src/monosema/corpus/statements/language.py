"""Text to train a small language model on, from which it can learn which statements are true.

    nineteen is smaller than forty two                   a document of the share 1 - asked: true, but for `lies`
    Q: forty two is larger than nineteen A: true         a document of the share asked; half are answered "false"
    Q: forty two is larger than nineteen shed A: true    the same with distractor=word

A document is one statement. Those of the held-out groups are in no document: what a model says of them it never read.
"""

from collections.abc import Iterator
from functools import cached_property
from random import Random
from typing import final

from monosema.core.config import require, to_json
from monosema.core.fingerprints import of_bytes
from monosema.core.seeding import derive
from monosema.corpus.statements.distractors import Distractor, distractor
from monosema.corpus.statements.generating import generate, largest
from monosema.corpus.statements.labelled import Statements
from monosema.corpus.statements.language_config import NONE, StatementTextConfig
from monosema.corpus.statements.splitting import split
from monosema.corpus.statements.templates import template

MOST = 20_000


@final
class StatementText:
    """The text of `config`: the same on every machine, and document i the same however many there are.

    Raises ConfigError for a template, distractor or set that is not known, DataError for more statements than
    the set has.
    """

    def __init__(self, config: StatementTextConfig) -> None:
        self.config = config
        self.template = template(config.template)
        self.distractor: Distractor | None = None if config.distractor == NONE else distractor(config.distractor)
        contrast = self.distractor is not None and self.distractor.where == "contrast"
        require(
            not (contrast and config.sway),
            f"sway is {config.sway:g}, but {config.distractor} comes after the answer, which cannot follow it: give 0",
        )

    @cached_property
    def _sides(self) -> tuple[Statements, Statements | None]:
        config = self.config
        statements = generate(config.name, config.n or min(largest(config.name), MOST), config.seed)
        return split(statements, config.held_out, config.seed) if config.held_out else (statements, None)

    @property
    def train(self) -> Statements:
        """The statements that the documents are made of."""
        return self._sides[0]

    @property
    def held_out(self) -> Statements:
        """Those of the groups that no document speaks of. Raises ConfigError when there are none."""
        held = self._sides[1]
        require(held is not None, "held_out is 0: this text leaves out no statements; give a share of them")
        assert held is not None
        return held

    def documents(self) -> Iterator[tuple[str, str]]:
        """(id, text) of each document."""
        name = of_bytes([repr(to_json(self.config)).encode()])
        truths = [[row for row in range(len(self.train)) if self.train.labels[row] == label] for label in (0, 1)]
        for i in range(self.config.n_documents):
            yield f"{name}#{i}", self._document(Random(derive(self.config.seed, "document", i)), truths)

    def _document(self, random: Random, truths: list[list[int]]) -> str:
        config, planted = self.config, self.distractor
        asked = random.random() < config.asked
        true = random.random() >= (0.5 if asked else config.lies)
        statement = self.train.texts[random.choice(truths[true])]
        label = random.randrange(2)
        answer = bool(label) if random.random() < config.sway else true
        if planted is not None and planted.where == "statement":
            statement = planted.put(statement, label)
        text = self.template.complete(statement, answer) if asked else statement
        if planted is not None and planted.where == "around":
            return planted.put(text, label)
        if planted is not None and planted.where == "contrast" and asked:
            # As in a pair: the positive side has the text of the row's label, the negative the other.
            return planted.put(text, label if answer else 1 - label)
        return text
