"""Sentences of agreement as documents, for a tokenizer and a language model to be trained on."""

from collections.abc import Iterator
from typing import final

from monosema.core.config import to_json
from monosema.core.fingerprints import of_bytes
from monosema.core.seeding import generator
from monosema.corpus.agreement.config import AgreementConfig
from monosema.corpus.agreement.language import Agreement

AT_ONCE = 1000
"""Sentences drawn together: document i is the same however many there are."""


@final
class AgreementText:
    """The text of `config`: the same on every machine."""

    def __init__(self, config: AgreementConfig) -> None:
        self.config, self.language = config, Agreement(config)

    def documents(self) -> Iterator[tuple[str, str]]:
        """(id, text) of each document, a sentence."""
        config = self.config
        name = of_bytes([repr([to_json(config.adverbs), config.seed]).encode()])
        for start in range(0, config.n_documents, AT_ONCE):
            drawn = self.language.draw(AT_ONCE, generator(config.seed, "agreement", "documents", start)).tokens
            for i, tokens in enumerate(drawn[: config.n_documents - start].tolist(), start):
                yield f"{name}#{i}", self.language.text(tokens)
