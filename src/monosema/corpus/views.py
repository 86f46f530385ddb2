"""Views of packed tokens: some of the blocks, or the same tokens in another order.

    a b c | d e f g | pad     documents within a block
    c a b | f d g e | pad     shuffled: each document's tokens of this block among themselves

A shuffled text has every block's and every document's own tokens, as often as before, and the same BOS,
separators, padding and document borders in the same places. What is gone is the order: syntax, repetition
at a distance, everything that a model reads beyond a bag of words. Computed when blocks are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from monosema.core import fingerprints
from monosema.core.seeding import generator
from monosema.corpus.blocks import TokenBlocks

WHAT_IS_SHUFFLED = "the tokens of each document permuted within each block (BOS, padding and borders stay)"


@runtime_checkable
class Tokens(Protocol):
    """What a view is of; `monosema.corpus.Tokens` is such, and so is a view."""

    @property
    def context(self) -> int: ...
    @property
    def n_blocks(self) -> int: ...
    @property
    def d_vocab(self) -> int: ...
    @property
    def fingerprint(self) -> str: ...
    def blocks(self, start: int, stop: int) -> TokenBlocks: ...
    def document_name(self, i: int) -> str: ...


@dataclass(frozen=True)
class SomeBlocks:
    """The blocks of these numbers, as blocks 0, 1, 2, ...; documents keep their numbers and names."""

    tokens: Tokens
    numbers: tuple[int, ...]

    @staticmethod
    def evenly(tokens: Tokens, n: int) -> "SomeBlocks":
        """`n` blocks at even distances, or all where there are no more."""
        n = max(1, min(n, tokens.n_blocks))
        return SomeBlocks(tokens, tuple(i * tokens.n_blocks // n for i in range(n)))

    @property
    def context(self) -> int:
        return self.tokens.context

    @property
    def n_blocks(self) -> int:
        return len(self.numbers)

    @property
    def d_vocab(self) -> int:
        return self.tokens.d_vocab

    @property
    def fingerprint(self) -> str:
        return fingerprints.of_bytes([self.tokens.fingerprint.encode(), repr(self.numbers).encode()])

    def blocks(self, start: int, stop: int) -> TokenBlocks:
        """Blocks start, ..., stop - 1 of those chosen."""
        return _joined([self.tokens.blocks(i, i + 1) for i in self.numbers[start:stop]], self.context)

    def document_name(self, i: int) -> str:
        return self.tokens.document_name(i)


@dataclass(frozen=True)
class ShuffledTokens:
    """The tokens of each document permuted within each block; the same whatever blocks are read together."""

    tokens: Tokens
    seed: int = 0

    @property
    def context(self) -> int:
        return self.tokens.context

    @property
    def n_blocks(self) -> int:
        return self.tokens.n_blocks

    @property
    def d_vocab(self) -> int:
        return self.tokens.d_vocab

    @property
    def fingerprint(self) -> str:
        return fingerprints.of_bytes([self.tokens.fingerprint.encode(), f"shuffled {self.seed}".encode()])

    def blocks(self, start: int, stop: int) -> TokenBlocks:
        """Blocks start, ..., stop - 1."""
        read = self.tokens.blocks(start, stop)
        tokens = read.tokens.clone()
        for row, number in enumerate(range(start, stop)):
            draws = generator(self.seed, "shuffled tokens", number)
            tokens[row] = permuted(tokens[row], read.documents[row], read.usable[row], draws)
        return TokenBlocks(tokens, read.documents, read.usable)

    def document_name(self, i: int) -> str:
        return self.tokens.document_name(i)


def permuted(
    tokens: Int64[Tensor, "seq"], documents: Int64[Tensor, "seq"], usable: Bool[Tensor, "seq"], draws: torch.Generator
) -> Int64[Tensor, "seq"]:
    """One block with the usable tokens of each document in random order among the places they had."""
    places = usable.nonzero().flatten()
    mixed = places[torch.randperm(len(places), generator=draws)]
    target, source = (at[documents[at].sort(stable=True).indices] for at in (places, mixed))
    changed = tokens.clone()
    changed[target] = tokens[source]
    return changed


def _joined(read: Sequence[TokenBlocks], context: int) -> TokenBlocks:
    if not read:
        nothing = torch.zeros(0, context, dtype=torch.int64)
        return TokenBlocks(nothing, nothing, nothing.bool())
    return TokenBlocks(*(torch.cat([getattr(b, name) for b in read]) for name in ("tokens", "documents", "usable")))
