"""Corpus: from text to blocks of tokens, each with the document it came from.

    documents("stdlib")  -->  train_tokenizer  -->  pack  -->  Tokens.blocks(start, stop)

Knows nothing of models. Only `TokenBlocks`, what `Tokens.blocks` returns, worlds and languages (activations and
text whose features are known) import torch.
"""

from typing import TYPE_CHECKING

from monosema.core.lazy import lazily

if TYPE_CHECKING:
    from monosema.corpus.blocks import TokenBlocks
    from monosema.corpus.document import Document, documents
    from monosema.corpus.languages.config import LanguageConfig, parse_language
    from monosema.corpus.languages.language import Language
    from monosema.corpus.packed import Packed, open_packed, pack
    from monosema.corpus.statements.labelled import Pairs, Statements
    from monosema.corpus.statements.language import StatementText
    from monosema.corpus.statements.language_config import StatementTextConfig, parse_statement_text
    from monosema.corpus.tokenizer import Tokenizer, train_tokenizer
    from monosema.corpus.tokens import Tokens, open_tokens
    from monosema.corpus.worlds import World, WorldConfig

__all__ = [
    "Document",
    "Language",
    "LanguageConfig",
    "Packed",
    "Pairs",
    "StatementText",
    "StatementTextConfig",
    "Statements",
    "TokenBlocks",
    "Tokenizer",
    "Tokens",
    "World",
    "WorldConfig",
    "documents",
    "open_packed",
    "open_tokens",
    "pack",
    "parse_language",
    "parse_statement_text",
    "train_tokenizer",
]

_HOMES = {
    "Document": "document",
    "Language": "languages.language",
    "LanguageConfig": "languages.config",
    "Packed": "packed",
    "Pairs": "statements.labelled",
    "StatementText": "statements.language",
    "StatementTextConfig": "statements.language_config",
    "Statements": "statements.labelled",
    "TokenBlocks": "blocks",
    "Tokenizer": "tokenizer",
    "Tokens": "tokens",
    "World": "worlds",
    "WorldConfig": "worlds",
    "documents": "document",
    "open_packed": "packed",
    "open_tokens": "tokens",
    "pack": "packed",
    "parse_language": "languages.config",
    "parse_statement_text": "statements.language_config",
    "train_tokenizer": "tokenizer",
}

__getattr__ = lazily(__name__, _HOMES)
