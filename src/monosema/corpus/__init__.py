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
    from monosema.corpus.tokenizer import Tokenizer, train_tokenizer
    from monosema.corpus.tokens import Tokens, open_tokens
    from monosema.corpus.worlds import World, WorldConfig

__all__ = [
    "Document",
    "Language",
    "LanguageConfig",
    "Packed",
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
    "train_tokenizer",
]

_HOMES = {
    "Document": "document",
    "Language": "languages.language",
    "LanguageConfig": "languages.config",
    "Packed": "packed",
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
    "train_tokenizer": "tokenizer",
}

__getattr__ = lazily(__name__, _HOMES)
