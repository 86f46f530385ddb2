"""From token blocks to codes: the one place where this layer runs the model.

    blocks [batch, seq] --model.run--> activations [row, d] --sites end to end, encode--> SparseCodes [row]

A row is a usable position (no BOS, no padding) of a block; rows are in the order of the corpus.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from monosema.core.errors import DataError, MismatchError
from monosema.corpus.views import Tokens
from monosema.dictionaries.codes import SparseCodes

KEPT_BYTES = 256 * 1024**2
"""Activations kept for the second pass; beyond it the model runs again."""

PARTS_OF_A_BLOCK = ("tokens", "documents", "usable")


@runtime_checkable
class Dictionary(Protocol):
    """What is asked of a dictionary; `monosema.dictionaries.Dictionary` is one."""

    @property
    def reads(self) -> tuple[str, ...]: ...
    @property
    def writes(self) -> tuple[str, ...]: ...
    @property
    def d_in(self) -> int: ...
    @property
    def n_features(self) -> int: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def W_dec(self) -> Tensor: ...  # noqa: N802

    def encode(self, x: Tensor) -> SparseCodes: ...


@runtime_checkable
class Model(Protocol):
    """What is asked of a model; `monosema.models.Model` is one."""

    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...

    def run(self, tokens: Tensor, read: Sequence[str]) -> dict[str, Tensor]: ...
    def logit_weights(self) -> Tensor: ...


@runtime_checkable
class Tokenizer(Protocol):
    """What is asked of a tokenizer; `monosema.corpus.Tokenizer` is one."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]: ...
    def token_texts(self, ids: Sequence[int]) -> list[str]: ...


@dataclass(frozen=True)
class Part:
    """Some token blocks, and the activations of their usable positions by site, row after row, on the CPU."""

    numbers: Int64[Tensor, "batch"]
    tokens: Int64[Tensor, "batch seq"]
    documents: Int64[Tensor, "batch seq"]
    usable: Bool[Tensor, "batch seq"]
    activations: Mapping[str, Float32[Tensor, "row _"]]

    @cached_property
    def places(self) -> Int64[Tensor, "row"]:
        """Each row's place in the corpus: block number * context + position in the block."""
        seq = self.tokens.shape[1]
        return (self.numbers.unsqueeze(1) * seq + torch.arange(seq))[self.usable]

    @cached_property
    def where(self) -> Int64[Tensor, "row 2"]:
        """Each row's block within this part, and its position in the block."""
        return self.usable.nonzero()

    @cached_property
    def owners(self) -> Int64[Tensor, "row"]:
        """Each row's document."""
        return self.documents[self.usable]

    def codes(self, dictionary: Dictionary) -> SparseCodes:
        """What fires, row after row. Raises MismatchError when the sites are not as wide as `d_in`."""
        x = torch.cat([self.activations[site] for site in dictionary.reads], dim=1)
        if x.shape[1] != dictionary.d_in:
            sites = " and ".join(dictionary.reads)
            raise MismatchError(
                f"the dictionary reads {dictionary.d_in} numbers a token; the model has {x.shape[1]} at {sites}"
            )
        codes = dictionary.encode(x.to(dictionary.W_dec.device))
        return SparseCodes(codes.indices.cpu(), codes.values.float().cpu(), codes.offsets.cpu(), codes.n_features)


def columns(codes: SparseCodes, features: Int64[Tensor, "chosen"]) -> Float32[Tensor, "row chosen"]:
    """The activations of some features as a matrix; the i-th column is the i-th of `features`."""
    at = torch.full((codes.n_features,), -1)
    at[features] = torch.arange(len(features))
    column = at[codes.indices]
    entries = column >= 0
    f = torch.zeros(len(codes), len(features))
    f[codes.rows()[entries], column[entries]] = codes.values[entries]
    return f


def chosen_blocks(tokens: Tokens, max_tokens: int) -> list[int]:
    """Numbers of the blocks taken: all of them, or as many as fit, evenly from first to last."""
    n = min(tokens.n_blocks, max(1, max_tokens // tokens.context))
    return [i * tokens.n_blocks // n for i in range(n)]


class Reader:
    """Goes over some blocks of a corpus, as often as asked; the model runs once a block as long as
    what it said fits in KEPT_BYTES."""

    def __init__(
        self, model: Model, tokens: Tokens, sites: Sequence[str], numbers: list[int], batch_tokens: int
    ) -> None:
        self.model, self.tokens, self.sites = model, tokens, list(dict.fromkeys(sites))
        size = max(1, batch_tokens // tokens.context)
        self.batches = [numbers[start : start + size] for start in range(0, len(numbers), size)]
        self.kept: dict[int, Part] = {}
        self.kept_bytes = 0

    def parts(self, advance: Callable[[int], None]) -> Iterator[Part]:
        """The blocks, some at a time; `advance` is told how many. Raises DataError for activations
        that are not finite."""
        for i, numbers in enumerate(self.batches):
            part = self.kept[i] if i in self.kept else self._read(numbers)
            size = sum(x.nbytes for x in part.activations.values())
            if i not in self.kept and self.kept_bytes + size <= KEPT_BYTES:
                self.kept[i] = part
                self.kept_bytes += size
            yield part
            advance(len(numbers))

    def _read(self, numbers: list[int]) -> Part:
        blocks = [self.tokens.blocks(i, i + 1) for i in numbers]
        tokens, documents, usable = (torch.cat([getattr(b, name) for b in blocks]) for name in PARTS_OF_A_BLOCK)
        with torch.no_grad():
            read = self.model.run(tokens, read=self.sites)
        activations = {site: read[site].flatten(2)[usable.to(read[site].device)].float().cpu() for site in self.sites}
        for site, x in activations.items():
            if not bool(torch.isfinite(x).all()):
                raise DataError(f"{self.model.name} has activations at {site} that are not finite")
        return Part(torch.tensor(numbers), tokens, documents, usable, activations)
