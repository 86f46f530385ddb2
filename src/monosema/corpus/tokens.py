"""Packed tokens on disk, read a few blocks at a time.

meta.json       counts, the held-out rule, fingerprints
tokens.bin      [n_blocks, context] u16 (u32 from 65,537 tokens of vocabulary)
documents.bin   [n_blocks, context] i32: index of the document, -1 at padding
names.jsonl     the documents' ids, one a line; names.bin says where each line starts (u64)
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from monosema.core.config import from_json
from monosema.core.errors import ConfigError, DamagedError, RunError
from monosema.core.runs import read_json
from monosema.corpus.block_writer import contents_fingerprint, token_type

if TYPE_CHECKING:
    import monosema.corpus.blocks


@dataclass(frozen=True)
class Meta:
    """What meta.json says."""

    split: str
    rule: str
    context: int
    n_blocks: int
    n_documents: int
    n_tokens: int
    d_vocab: int
    bos: int | None
    separator: int | None
    tokenizer_fingerprint: str
    fingerprint: str


class Tokens:
    """One split of a corpus, as blocks of `context` tokens; read only, and never wholly in memory.

    n_tokens counts the usable ones: not the token that starts a block or document, not padding.
    """

    def __init__(self, path: Path, meta: Meta) -> None:
        self.path, self.meta = path, meta
        self.context, self.n_blocks = meta.context, meta.n_blocks
        self.n_documents, self.n_tokens = meta.n_documents, meta.n_tokens
        self.d_vocab, self.bos = meta.d_vocab, meta.bos
        self.fingerprint, self.tokenizer_fingerprint = meta.fingerprint, meta.tokenizer_fingerprint

    def __len__(self) -> int:
        return self.n_blocks

    def __repr__(self) -> str:
        return (
            f"Tokens({self.meta.split}: {self.n_blocks:,} blocks of {self.context}, {self.n_tokens:,} tokens, "
            f"{self.n_documents:,} documents, {self.path})"
        )

    def blocks(self, start: int, stop: int) -> "monosema.corpus.blocks.TokenBlocks":
        """Blocks start, ..., stop - 1. Raises IndexError unless 0 <= start <= stop <= n_blocks."""
        from torch import from_numpy

        from monosema.corpus.blocks import TokenBlocks

        if not 0 <= start <= stop <= self.n_blocks:
            raise IndexError(
                f"blocks {start} to {stop} were asked for: there are {self.n_blocks}, from 0 to {self.n_blocks}"
            )
        tokens = self._tokens[start:stop].astype(np.int64)
        documents = self._documents[start:stop].astype(np.int64)
        usable = documents >= 0
        if self.meta.separator is not None:
            usable &= tokens != self.meta.separator
        return TokenBlocks(from_numpy(tokens), from_numpy(documents), from_numpy(usable))

    def document_name(self, i: int) -> str:
        """The id of document i of this split. Raises IndexError unless 0 <= i < n_documents."""
        if not 0 <= i < self.n_documents:
            raise IndexError(
                f"document {i} was asked for: there are {self.n_documents}, from 0 to {self.n_documents - 1}"
            )
        start, stop = (int(offset) for offset in self._name_offsets[i : i + 2])
        with (self.path / "names.jsonl").open("rb") as file:
            file.seek(start)
            return json.loads(file.read(stop - start))

    def verify(self) -> None:
        """Read every byte again. Raises DamagedError when tokens or documents are not what was packed."""
        digests = []
        for name in ("tokens.bin", "documents.bin"):
            with (self.path / name).open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").digest())
        found = contents_fingerprint(self.context, self.tokenizer_fingerprint, *digests)
        if found != self.fingerprint:
            raise DamagedError(f"{self.path} was edited: its fingerprint is {found}, meta.json says {self.fingerprint}")

    @cached_property
    def _tokens(self) -> npt.NDArray[np.unsignedinteger]:
        return self._map("tokens.bin", token_type(self.d_vocab))

    @cached_property
    def _documents(self) -> npt.NDArray[np.int32]:
        return self._map("documents.bin", np.dtype("<i4"))

    @cached_property
    def _name_offsets(self) -> npt.NDArray[np.uint64]:
        return np.memmap(self.path / "names.bin", dtype="<u8", mode="r")

    def _map(self, name: str, dtype: np.dtype) -> np.memmap:
        return np.memmap(self.path / name, dtype=dtype, mode="r", shape=(self.n_blocks, self.context))


def open_tokens(path: Path | str) -> Tokens:
    """The packed tokens in a folder. Raises RunError when there are none, DamagedError naming the file
    that is missing, truncated or unreadable."""
    path = Path(path)
    if not (path / "meta.json").exists():
        raise RunError(f"{path} holds no packed tokens: it has no meta.json")
    try:
        meta = from_json(Meta, read_json(path / "meta.json"), where=str(path / "meta.json"))
    except ConfigError as error:
        raise DamagedError(f"{error}: it was edited, pack the corpus again") from error
    tokens = Tokens(path, meta)
    n_positions = meta.n_blocks * meta.context
    _require_size(path / "tokens.bin", n_positions * token_type(meta.d_vocab).itemsize)
    _require_size(path / "documents.bin", n_positions * 4)
    _require_size(path / "names.bin", (meta.n_documents + 1) * 8)
    _require_size(path / "names.jsonl", int(tokens._name_offsets[-1]))
    return tokens


def _require_size(file: Path, expected: int) -> None:
    found = file.stat().st_size if file.exists() else None
    if found != expected:
        is_what = (
            "is missing" if found is None else f"has {found:,} bytes instead of {expected:,}: it was cut or edited"
        )
        raise DamagedError(f"{file} {is_what}; pack the corpus again")
