"""From token blocks to codes: the one place where this layer runs the model.

    blocks [batch, seq] --model.run--> sites, end to end [row, d_in] --encode--> SparseCodes [row]

A row is a usable position (no BOS, no padding) of a block; rows are in the order of the corpus.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.core.errors import DataError, MismatchError
from monosema.dictionaries.codes import SparseCodes


@runtime_checkable
class Dictionary(Protocol):
    """What is asked of a dictionary; `monosema.dictionaries.Dictionary` is one."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    d_in: int
    n_features: int
    fingerprint: str
    W_dec: Tensor

    def encode(self, x: Tensor) -> SparseCodes: ...


@runtime_checkable
class Model(Protocol):
    """What is asked of a model; `monosema.models.Model` is one."""

    name: str
    fingerprint: str

    def run(self, tokens: Tensor, read: Sequence[str]) -> dict[str, Tensor]: ...
    def logit_weights(self) -> Tensor: ...


@runtime_checkable
class Tokens(Protocol):
    """What is asked of a corpus; `monosema.corpus.Tokens` is one."""

    context: int
    n_blocks: int
    d_vocab: int
    fingerprint: str

    def blocks(self, start: int, stop: int) -> Any: ...
    def document_name(self, i: int) -> str: ...


@runtime_checkable
class Tokenizer(Protocol):
    """What is asked of a tokenizer; `monosema.corpus.Tokenizer` is one."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]: ...
    def token_texts(self, ids: Sequence[int]) -> list[str]: ...


@dataclass(frozen=True)
class Part:
    """Some token blocks and the codes of their usable positions, row after row; everything on the CPU."""

    numbers: Int64[Tensor, "batch"]
    tokens: Int64[Tensor, "batch seq"]
    documents: Int64[Tensor, "batch seq"]
    usable: Bool[Tensor, "batch seq"]
    codes: SparseCodes

    @property
    def places(self) -> Int64[Tensor, "row"]:
        """Each row's place in the corpus: block number * context + position in the block."""
        seq = self.tokens.shape[1]
        return (self.numbers.unsqueeze(1) * seq + torch.arange(seq))[self.usable]

    def columns(self, features: Int64[Tensor, "chosen"]) -> Float[Tensor, "row chosen"]:
        """The activations of some features, dense; `features` in ascending order."""
        at = torch.full((self.codes.n_features,), -1)
        at[features] = torch.arange(len(features))
        column = at[self.codes.indices]
        entries = column >= 0
        f = torch.zeros(len(self.codes), len(features))
        f[self.codes.rows()[entries], column[entries]] = self.codes.values[entries]
        return f


def chosen_blocks(tokens: Tokens, max_tokens: int) -> list[int]:
    """Numbers of the blocks taken: all of them, or as many as fit, evenly from first to last."""
    n = min(tokens.n_blocks, max(1, max_tokens // tokens.context))
    return [i * tokens.n_blocks // n for i in range(n)]


def parts(
    dictionary: Dictionary, model: Model, tokens: Tokens, numbers: list[int], batch_tokens: int
) -> Iterator[Part]:
    """The blocks of those numbers with their codes, some at a time.

    Raises MismatchError when the sites' widths do not add up to the dictionary's `d_in`, DataError
    for activations that are not finite.
    """
    size = max(1, batch_tokens // tokens.context)
    device = dictionary.W_dec.device
    for start in range(0, len(numbers), size):
        chosen = numbers[start : start + size]
        blocks = [tokens.blocks(i, i + 1) for i in chosen]
        ids, documents, usable = (
            torch.cat([getattr(b, name) for b in blocks]) for name in ("tokens", "documents", "usable")
        )
        with torch.inference_mode():
            x = _read(dictionary, model, ids)[usable.to(ids.device)].to(device, torch.float32)
            codes = dictionary.encode(x)
            codes = SparseCodes(codes.indices.cpu(), codes.values.float().cpu(), codes.offsets.cpu(), codes.n_features)
        yield Part(torch.tensor(chosen), ids, documents, usable, codes)


def _read(dictionary: Dictionary, model: Model, ids: Int64[Tensor, "batch seq"]) -> Float[Tensor, "batch seq d_in"]:
    read = model.run(ids, read=dictionary.reads)
    x = torch.cat([read[site].flatten(2).cpu() for site in dictionary.reads], dim=-1)
    if x.shape[-1] != dictionary.d_in:
        sites = ", ".join(dictionary.reads)
        raise MismatchError(
            f"the dictionary reads {dictionary.d_in} numbers a token; {model.name} has {x.shape[-1]} at {sites}"
        )
    if not bool(torch.isfinite(x).all()):
        raise DataError(f"{model.name} has activations that are not finite at {', '.join(dictionary.reads)}")
    return x
