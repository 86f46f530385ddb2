"""Documents laid end to end into blocks of one length, written to disk as they fill.

    BOS a a a a a   BOS a BOS b b b   BOS b b BOS c pad      tokens, context 6
     0  0 0 0 0 0    0  0  1  1 1 1    1  1 1  2  2  -1      documents

Every block starts with BOS, and BOS stands between two documents; a document goes on into as many
blocks as it needs. Only the last block is padded. A tokenizer without BOS has its eos between
documents and nothing at the start of a block; one without either has documents side by side.
"""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from monosema.core.fingerprints import of_bytes
from monosema.corpus.tokenizer import Tokenizer

BUFFERED_BLOCKS = 1024


def token_type(d_vocab: int) -> np.dtype:
    """The little-endian type that token ids are stored in: 2 bytes when they fit, else 4."""
    return np.dtype("<u2" if d_vocab <= 1 << 16 else "<u4")


class BlockWriter:
    """Writes tokens.bin and documents.bin (blocks), names.jsonl and names.bin (where each name starts)."""

    def __init__(self, folder: Path, tokenizer: Tokenizer, context: int) -> None:
        folder.mkdir(parents=True)
        self.context, self.bos = context, tokenizer.bos
        self.separator = tokenizer.bos if tokenizer.bos is not None else tokenizer.eos
        self.n_blocks = self.n_documents = self.n_tokens = 0
        names = ("tokens.bin", "documents.bin", "names.jsonl", "names.bin")
        self._files = {name: (folder / name).open("wb") for name in names}
        self._hashes = {name: hashlib.sha256() for name in names}
        padding = next((i for i in (tokenizer.pad, tokenizer.bos, tokenizer.eos) if i is not None), 0)
        self._empty = (padding, -1)
        self._tokens = np.full((BUFFERED_BLOCKS, context), padding, dtype=token_type(tokenizer.vocab_size))
        self._documents = np.full((BUFFERED_BLOCKS, context), -1, dtype="<i4")
        self._row = self._column = self._name_offset = 0

    def add(self, name: str, ids: npt.NDArray[np.int64]) -> None:
        """Append one document. One without tokens is left out."""
        if len(ids) == 0:
            return
        if self._column > 0 and self.separator is not None:
            self._put(np.array([self.separator]))
        at = 0
        while at < len(ids):
            if self._column == 0 and self.bos is not None:
                self._put(np.array([self.bos]))
            piece = ids[at : at + self.context - self._column]
            self._put(piece)
            at += len(piece)
        self.n_documents += 1
        self.n_tokens += len(ids)
        self._write_name(name)

    def close(self) -> None:
        """Write what is buffered, the last block padded, and flush to the disk."""
        if self._column > 0:
            self._row, self._column = self._row + 1, 0
        self._flush()
        self._write("names.bin", np.array([self._name_offset], dtype="<u8").tobytes())
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
        self.release()

    def release(self) -> None:
        """Close the files, whatever is in them."""
        for file in self._files.values():
            file.close()

    def fingerprint(self, tokenizer: Tokenizer) -> str:
        """The fingerprint of everything written so far: tokens, documents, context, tokenizer."""
        return contents_fingerprint(
            self.context,
            tokenizer.fingerprint,
            self._hashes["tokens.bin"].digest(),
            self._hashes["documents.bin"].digest(),
        )

    def _put(self, ids: npt.NDArray[np.int64]) -> None:
        here = slice(self._column, self._column + len(ids))
        self._tokens[self._row, here] = ids
        self._documents[self._row, here] = self.n_documents
        self._column += len(ids)
        if self._column == self.context:
            self._row, self._column = self._row + 1, 0
        if self._row == BUFFERED_BLOCKS:
            self._flush()

    def _flush(self) -> None:
        self._write("tokens.bin", self._tokens[: self._row].tobytes())
        self._write("documents.bin", self._documents[: self._row].tobytes())
        self._tokens[:], self._documents[:] = self._empty
        self.n_blocks, self._row = self.n_blocks + self._row, 0

    def _write_name(self, name: str) -> None:
        line = (json.dumps(name) + "\n").encode()
        self._write("names.bin", np.array([self._name_offset], dtype="<u8").tobytes())
        self._write("names.jsonl", line)
        self._name_offset += len(line)

    def _write(self, name: str, data: bytes) -> None:
        self._hashes[name].update(data)
        self._files[name].write(data)


def contents_fingerprint(context: int, tokenizer: str, tokens: bytes, documents: bytes) -> str:
    """The fingerprint of packed text, from the SHA-256 digests of its two block files."""
    return of_bytes([str(context).encode(), tokenizer.encode(), tokens, documents])
