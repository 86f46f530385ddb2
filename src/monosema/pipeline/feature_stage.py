"""The stages after the scores that make feature tables of a run's dictionaries, and one file of a table.

tables_stage   held-out documents, all of them, then train documents up to max_tokens   -> features/<name>/
single_file    features/<name>/                                                         -> features.html
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from monosema import features
from monosema.core import fingerprints
from monosema.core.errors import ConfigError, unknown
from monosema.core.runs import Run
from monosema.corpus import Packed, Tokens
from monosema.corpus.blocks import TokenBlocks
from monosema.dashboard.exports.selection import select
from monosema.dashboard.exports.single import write_single
from monosema.dictionaries import Dictionary
from monosema.features import BuildConfig
from monosema.features.browse import Query, open_table
from monosema.features.labels import LabelStore
from monosema.features.reading import chosen_blocks
from monosema.features.tables.manifest import Manifest
from monosema.pipeline.records import begun, is_done, settings_of
from monosema.pipeline.subject import Subject, open_subject

STAGE = "tables"


@dataclass(frozen=True)
class Joined:
    """Some blocks of one part of a corpus, then some of another; the second's documents are numbered on."""

    parts: tuple[tuple[Tokens, tuple[int, ...]], ...]

    @staticmethod
    def of(packed: Packed, max_tokens: int) -> "Joined":
        """The held-out blocks, at even distances when there are too many, and as many of the train's as fit."""
        held_out = tuple(chosen_blocks(packed.held_out, max_tokens))
        left = max_tokens - len(held_out) * packed.held_out.context
        train = tuple(chosen_blocks(packed.train, left)) if left >= packed.train.context else ()
        return Joined(((packed.held_out, held_out), (packed.train, train)))

    @property
    def context(self) -> int:
        return self.parts[0][0].context

    @property
    def d_vocab(self) -> int:
        return self.parts[0][0].d_vocab

    @property
    def n_blocks(self) -> int:
        return sum(len(numbers) for _, numbers in self.parts)

    @property
    def fingerprint(self) -> str:
        said = [f"{tokens.fingerprint} {len(numbers)} of {tokens.n_blocks}".encode() for tokens, numbers in self.parts]
        return fingerprints.of_bytes(said)

    def blocks(self, start: int, stop: int) -> TokenBlocks:
        read = list(self._blocks(start, stop))
        return TokenBlocks(*(torch.cat([getattr(b, name) for b in read]) for name in _FIELDS))

    def _blocks(self, start: int, stop: int) -> Iterator[TokenBlocks]:
        blocks_before = documents_before = 0
        for tokens, numbers in self.parts:
            for number in numbers[max(start - blocks_before, 0) : max(stop - blocks_before, 0)]:
                block = tokens.blocks(number, number + 1)
                own = torch.where(block.documents >= 0, block.documents + documents_before, block.documents)
                yield replace(block, documents=own)
            blocks_before += len(numbers)
            documents_before += tokens.n_documents

    def document_name(self, i: int) -> str:
        for tokens, _ in self.parts:
            if i < tokens.n_documents:
                return tokens.document_name(i)
            i -= tokens.n_documents
        raise IndexError(f"document {i} was asked for beyond the last")


_FIELDS = ("tokens", "documents", "usable")


def tables_stage(run: Run, config: BuildConfig | None = None, names: Sequence[str] = ()) -> dict[str, Path]:
    """The feature tables of the dictionaries called `names` (of all by default), beside their controls'.

    Raises ConfigError for a name that the run does not have, and as `features.build` does.
    """
    config, subject = config or BuildConfig(), open_subject(run)
    chosen = _chosen(subject, names)
    out, settings = run.path / "features", settings_of(config) | {"names": list(chosen)}
    paths = {name: out / name for name in chosen}
    if is_done(run, STAGE, settings, subject.inputs) and all(map(_is_whole, paths.values())):
        return paths
    tokens, tokenizer = Joined.of(subject.packed, config.max_tokens), subject.packed.tokenizer()
    with begun(run, STAGE, settings, subject.inputs, config.seed):
        paths = features.build(chosen, subject.model, tokens, tokenizer, out, config, subject.control)
        run.finish(STAGE, {})
    return paths


def single_file(run: Run, name: str, limit: int) -> Path:
    """The `limit` most important features of the table of `name`, with their labels, in one file: features.html."""
    table, path = open_table(run.path / "features" / name), run.path / "features.html"
    labels = LabelStore(run.path / "labels.sqlite").current(name, table.manifest.dictionary_fingerprint)
    write_single(path, select(table, Query(), labels, limit))
    return path


def _is_whole(folder: Path) -> bool:
    return Manifest(folder, {}).is_done()


def _chosen(subject: Subject, names: Sequence[str]) -> dict[str, Dictionary]:
    for name in names:
        if name not in subject.dictionaries:
            raise ConfigError(unknown("dictionary", name, subject.dictionaries))
    return {name: subject.dictionaries[name] for name in names or subject.dictionaries}
