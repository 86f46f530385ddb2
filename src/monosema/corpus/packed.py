"""Packing: documents become blocks of tokens on disk, split by document into train and held-out.

    out/  tokenizer.json  tokenizer_config.json  train/  held_out/

A document goes to one side or the other by a hash of its id and the seed, so that it stays there when
others are added or removed. Text streams through; memory holds one batch of documents. The folder is
written under a temporary name and renamed at the end: it is whole or it is not there.
"""

import operator
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monosema.core.config import require, require_range, to_json
from monosema.core.errors import DamagedError, DataError, MismatchError, RunError
from monosema.core.progress import progress
from monosema.core.runs import write_json
from monosema.core.seeding import derive
from monosema.corpus.block_writer import BlockWriter
from monosema.corpus.document import Document, valid
from monosema.corpus.tokenizer import Tokenizer
from monosema.corpus.tokens import Meta, Tokens, open_tokens

BATCH_CHARACTERS = 1 << 20
BATCH_DOCUMENTS = 512


@dataclass(frozen=True)
class Packed:
    """A packed corpus: the text to train and harvest on, and whole documents that are not in it."""

    train: Tokens
    held_out: Tokens

    def tokenizer(self) -> Tokenizer:
        """The tokenizer that packed it. Raises MismatchError when the one in the folder is another."""
        folder = self.train.path.parent
        tokenizer = Tokenizer.load(folder)
        if tokenizer.fingerprint != self.train.tokenizer_fingerprint:
            raise MismatchError(
                f"{folder} was packed with tokenizer {self.train.tokenizer_fingerprint}, its tokenizer.json is "
                f"{tokenizer.fingerprint}: pack the corpus again"
            )
        return tokenizer


def pack(
    documents: Iterable[Document],
    tokenizer: Tokenizer,
    context: int,
    out: Path,
    held_out: float = 0.1,
    seed: int = 0,
    max_tokens: int | None = None,
) -> Packed:
    """The documents as blocks of `context` tokens, in `out`; about the fraction `held_out` of them is held out.

    Reading stops after `max_tokens` tokens, both splits together (the last document is cut there).
    Raises DataError when there is less text than one context or either split would be empty, RunError
    when `out` already holds something or cannot be written.
    """
    require_range("context", context, 2)
    require(0 < held_out < 1, f"held_out is {held_out}: it must be more than 0 and less than 1")
    require(max_tokens is None or max_tokens > 0, f"max_tokens is {max_tokens}: it must be at least 1")
    with _whole_folder(Path(out)) as folder:
        tokenizer.save(folder)
        with ExitStack() as stack:
            train, held = (BlockWriter(folder / split, tokenizer, context) for split in ("train", "held_out"))
            stack.callback(train.release)
            stack.callback(held.release)
            lowest = _fill(train, held, documents, tokenizer, (held_out, seed, max_tokens))
            _require_both(train, held, held_out, lowest)
            for split, writer in (("train", train), ("held_out", held)):
                writer.close()
                write_json(folder / split / "meta.json", to_json(_meta(split, writer, tokenizer, held_out, seed)))
    return open_packed(out)


def _fill(
    train: BlockWriter,
    held: BlockWriter,
    documents: Iterable[Document],
    tokenizer: Tokenizer,
    rule: tuple[float, int, int | None],
) -> float:
    """Write every document to its split; the lowest place of any document in [0, 1)."""
    held_out, seed, max_tokens = rule
    lowest = 1.0
    with progress("packing", operator.length_hint(documents), "document") as bar:
        for document, ids in _encoded(valid(documents), tokenizer):
            left = None if max_tokens is None else max_tokens - train.n_tokens - held.n_tokens
            place = _place(document.id, seed)
            (held if place < held_out else train).add(document.id, np.array(ids[:left], dtype=np.int64))
            lowest = min(lowest, place)
            bar.advance(1, f"{train.n_tokens + held.n_tokens:,} tokens")
            if left is not None and len(ids) >= left:
                break
    return lowest


def _place(name: str, seed: int) -> float:
    """Where a document stands in [0, 1): it is held out below the held-out fraction."""
    return derive(seed, "held_out", name) / 2**63


def _encoded(documents: Iterator[Document], tokenizer: Tokenizer) -> Iterator[tuple[Document, list[int]]]:
    for batch in _batches(documents):
        yield from zip(batch, tokenizer.encode([document.text for document in batch]), strict=True)


def _batches(documents: Iterator[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document.text)
        if size >= BATCH_CHARACTERS or len(batch) == BATCH_DOCUMENTS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _require_both(train: BlockWriter, held: BlockWriter, held_out: float, lowest: float) -> None:
    n_documents = train.n_documents + held.n_documents
    n_tokens = train.n_tokens + held.n_tokens
    if n_tokens < train.context:
        raise DataError(
            f"the corpus has {n_tokens} tokens, fewer than one context of {train.context}: "
            "give more text, or a smaller context"
        )
    if n_documents == 1:
        raise DataError(
            "the corpus is one document, and text is held out by whole documents: give at least two "
            "(a text file given alone is cut into sections of about 4,000 characters)"
        )
    if held.n_documents == 0:
        raise DataError(
            f"none of the {n_documents} documents was held out at held_out={held_out:g}: give more documents, "
            f"or held_out={np.ceil(lowest * 100 + 0.5) / 100:g}"
        )
    if train.n_documents == 0:
        raise DataError(
            f"all {n_documents} documents were held out at held_out={held_out:g}: give more, or a smaller held_out"
        )


def _meta(split: str, writer: BlockWriter, tokenizer: Tokenizer, held_out: float, seed: int) -> Meta:
    return Meta(
        split=split,
        rule=f"a document is held out when derive({seed}, 'held_out', id) / 2**63 < {held_out!r}",
        context=writer.context,
        n_blocks=writer.n_blocks,
        n_documents=writer.n_documents,
        n_tokens=writer.n_tokens,
        d_vocab=tokenizer.vocab_size,
        bos=writer.bos,
        separator=writer.separator,
        tokenizer_fingerprint=tokenizer.fingerprint,
        fingerprint=writer.fingerprint(tokenizer),
    )


@contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out` that takes its place at the end; nothing is left on any exception."""
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise RunError(f"{out} already holds something: give a new or empty folder, or open_packed what is there")
    temporary = out.with_name(f".{out.name}.incomplete")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        temporary.replace(out)
    except OSError as error:
        raise RunError(f"cannot write {out}: {os.strerror(error.errno or 0)}. Nothing was kept") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def open_packed(path: Path | str) -> Packed:
    """What `pack` wrote. Raises RunError when it is not there, DamagedError when a file is cut or the two
    splits do not belong together."""
    path = Path(path)
    packed = Packed(open_tokens(path / "train"), open_tokens(path / "held_out"))
    train, held = packed.train.meta, packed.held_out.meta
    if (train.context, train.tokenizer_fingerprint, train.rule) != (
        held.context,
        held.tokenizer_fingerprint,
        held.rule,
    ):
        raise DamagedError(f"{path}/train and {path}/held_out were not packed together: pack the corpus again")
    return packed
