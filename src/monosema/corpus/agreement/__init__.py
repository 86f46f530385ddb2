"""Sentences in which a verb agrees with its subject, and with no noun between them.

Agreement         the language: every sentence with the number of each noun in it
AgreementText     documents of it, for a tokenizer and a model to be trained on
AgreementConfig   what it is made of
"""

from typing import TYPE_CHECKING

from monosema.core.lazy import lazily

if TYPE_CHECKING:
    from monosema.corpus.agreement.config import AgreementConfig
    from monosema.corpus.agreement.language import Agreement
    from monosema.corpus.agreement.text import AgreementText

__all__ = ["Agreement", "AgreementConfig", "AgreementText"]

_HOMES = {"Agreement": "language", "AgreementConfig": "config", "AgreementText": "text"}

__getattr__ = lazily(__name__, _HOMES)
