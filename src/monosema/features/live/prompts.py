"""From text to what the model reads: the same tokens that packing it as a corpus would give.

"a cat"    BOS a cat      a tokenizer with BOS: it stands first, nothing is read there
           a cat          one without
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from monosema.core.config import require
from monosema.core.errors import ConfigError
from monosema.corpus.blocks import TokenBlocks

LONGEST_TEXT = 4000
"""Characters: an address can hold them, whatever their script."""

MOST_TOKENS = 1024
"""Of a pass with gradients, whose attention patterns are all kept."""


@runtime_checkable
class Tokenizer(Protocol):
    """What is asked of a tokenizer; `monosema.corpus.Tokenizer` is one."""

    bos: int | None
    eos: int | None
    vocab_size: int

    def encode(self, texts: Sequence[str]) -> list[list[int]]: ...
    def token_texts(self, ids: Sequence[int]) -> list[str]: ...


def separator_of(tokenizer: Tokenizer) -> int | None:
    """The token that packing puts between two documents; a corpus has it nowhere else but at a block's start."""
    return tokenizer.eos if tokenizer.bos is None else tokenizer.bos


@dataclass(frozen=True)
class Prompt:
    """A text as tokens. `texts` are what each adds in its context: joined, they are the text behind its BOS."""

    ids: tuple[int, ...]
    texts: tuple[str, ...]
    blocks: TokenBlocks
    n_limit: int

    @staticmethod
    def of(text: str, tokenizer: Tokenizer, n_context: int) -> "Prompt":
        """The prompt. Raises ConfigError for an empty one and for one that the model cannot take at once."""
        require(len(text) > 0, "the prompt is empty: type some text")
        require(
            len(text) <= LONGEST_TEXT,
            f"the prompt has {len(text):,} characters: give at most {LONGEST_TEXT:,}",
        )
        ids, start = tokenizer.encode([text])[0], [] if tokenizer.bos is None else [tokenizer.bos]
        require(len(ids) > 0, "the prompt has no tokens: the tokenizer leaves nothing of this text")
        largest = min(n_context, MOST_TOKENS)
        limit = largest - len(start)
        if len(ids) > limit:
            whose = f"the model's context of {n_context:,}" if largest == n_context else f"{MOST_TOKENS:,} at a time"
            raise ConfigError(
                f"the prompt has {len(ids):,} tokens: at most {limit:,} fit ({whose}"
                f"{', one of them the BOS' if start else ''})"
            )
        whole = [*start, *ids]
        tokens = torch.tensor([whole])
        separator = separator_of(tokenizer)
        usable = torch.ones_like(tokens, dtype=torch.bool) if separator is None else tokens != separator
        texts = tuple(tokenizer.token_texts(whole))
        return Prompt(tuple(whole), texts, TokenBlocks(tokens, torch.zeros_like(tokens), usable), limit)

    def __len__(self) -> int:
        return len(self.ids)

    def position(self, at: int | None) -> int:
        """`at`, or the last position. Raises ConfigError when the prompt is shorter."""
        if at is None:
            return len(self) - 1
        require(0 <= at < len(self), f"at is {at}: this prompt has positions 0 to {len(self) - 1}")
        return at


class Words:
    """Single tokens as they read in the middle of a text, since some tokenizers drop a space at its beginning;
    a piece of a character is U+FFFD."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer, self.before = tokenizer, tokenizer.encode(["a"])[0]
        self.known: dict[int, str] = {}

    def __call__(self, token: int) -> str:
        if token >= self.tokenizer.vocab_size:
            return ""
        if token not in self.known:
            self.known[token] = self.tokenizer.token_texts([*self.before, token])[-1]
        return self.known[token]
