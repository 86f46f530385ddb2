"""The text of a table: which blocks of the corpus are in it, whose they are, and how they read.

    pos = block * context + position        block counts the blocks of the table, not of the corpus

tokens.safetensors, documents.parquet, text.parquet (each token alone), contexts.parquet (each token
as it reads in its block: joined, the texts of a block are the block's own text).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from monosema.core.errors import DataError
from monosema.core.runs import replacing
from monosema.corpus.blocks import TokenBlocks
from monosema.corpus.views import Tokens
from monosema.features.effects.subjects import counted_tokens
from monosema.features.reading import Tokenizer, chosen_blocks
from monosema.features.tables.database import Database, lists, rows_of


@dataclass(frozen=True)
class TableText:
    """Every block of the table, in memory: 25 bytes a token; it reads as the corpus itself does.

    documents   the table's own numbers, in order of appearance; -1 at padding
    names       of the documents
    counted     tokens whose loss counts (see `counted_tokens`)
    """

    tokens: Int64[Tensor, "block seq"]
    documents: Int64[Tensor, "block seq"]
    usable: Bool[Tensor, "block seq"]
    counted: Bool[Tensor, "block seq"]
    names: tuple[str, ...]
    d_vocab: int
    fingerprint: str

    @staticmethod
    def of(corpus: Tokens, max_tokens: int) -> "TableText":
        """The text of a table of at most `max_tokens` positions. Raises DataError when no token is usable."""
        numbers = chosen_blocks(corpus, max_tokens)
        shape = (len(numbers), corpus.context)
        tokens, documents = torch.empty(shape, dtype=torch.int64), torch.empty(shape, dtype=torch.int64)
        usable = torch.empty(shape, dtype=torch.bool)
        for row, number in enumerate(numbers):
            block = corpus.blocks(number, number + 1)
            tokens[row], documents[row], usable[row] = block.tokens[0], block.documents[0], block.usable[0]
        if not bool(usable.any()):
            raise DataError("there is no usable token to make a table of: the corpus holds only BOS and padding")
        present = documents[documents >= 0].unique()
        own = torch.where(documents >= 0, torch.searchsorted(present, documents), -1)
        names = tuple(corpus.document_name(i) for i in present.tolist())
        counted = counted_tokens(TokenBlocks(tokens, own, usable))
        return TableText(tokens, own, usable, counted, names, corpus.d_vocab, corpus.fingerprint)

    @property
    def n_blocks(self) -> int:
        return len(self.tokens)

    @property
    def context(self) -> int:
        return self.tokens.shape[1]

    @property
    def n_tokens(self) -> int:
        """Usable tokens."""
        return int(self.usable.sum())

    def blocks(self, start: int, stop: int) -> TokenBlocks:
        """Some of the blocks."""
        return TokenBlocks(self.tokens[start:stop], self.documents[start:stop], self.usable[start:stop])

    def document_name(self, i: int) -> str:
        return self.names[i]

    def taken(self, numbers: Int64[Tensor, "batch"]) -> TokenBlocks:
        """The blocks of these numbers."""
        return TokenBlocks(self.tokens[numbers], self.documents[numbers], self.usable[numbers])

    def stretches(self) -> np.ndarray:
        """Where every stretch of usable positions, or of unusable ones, of one document in one block begins;
        and the end of the text."""
        documents, usable = self.documents.numpy(), self.usable.numpy()
        edge = np.ones(usable.shape, dtype=bool)
        edge[:, 1:] = (usable[:, 1:] != usable[:, :-1]) | (documents[:, 1:] != documents[:, :-1])
        return np.append(edge.ravel().nonzero()[0], edge.size)


class Reading:
    """Every token as it reads in its block, in less memory than the text itself: the different texts, and which
    of them each token is. The texts of a block, joined, are the block's own text; a character that is spread
    over several tokens is at the last of them, and the others are ''."""

    def __init__(self, text: TableText, tokenizer: Tokenizer) -> None:
        numbers: dict[str, int] = {}
        self.which = np.zeros((text.n_blocks, text.context), dtype=np.uint32)
        for block, ids in enumerate(text.tokens):
            self.which[block] = [numbers.setdefault(part, len(numbers)) for part in tokenizer.token_texts(ids.tolist())]
        self.texts = np.array(list(numbers), dtype=object)

    def at(self, places: np.ndarray) -> np.ndarray:
        """The texts of the tokens at some places of the text."""
        return self.texts[self.which.ravel()[places]]

    def blocks(self, numbers: range) -> np.ndarray:
        """The texts of all tokens of some blocks: lists, as a column."""
        return lists([self.texts[self.which[block]].tolist() for block in numbers])


BLOCKS_AT_ONCE = 4096


def write_text(text: TableText, words: Sequence[str], reading: Reading, folder: Path, database: Database) -> None:
    """Write the four files. `words` are the tokens of the vocabulary alone."""
    from safetensors.torch import save_file

    mask = torch.where(text.documents < 0, 2, torch.where(text.usable, 0, 1)).to(torch.uint8)
    with replacing(folder / "tokens.safetensors") as temporary:
        save_file({"ids": text.tokens.int(), "document": text.documents.int(), "mask": mask}, temporary)
    _write_contexts(text, reading, folder, database)
    given = {"token": np.arange(len(words), dtype=np.uint32), "text": np.array(words, dtype=object)}
    database.write(folder / "text.parquet", "SELECT token, text::VARCHAR AS text FROM given", given)
    first = np.full(len(text.names), -1)
    own = text.documents.numpy().ravel()
    present, at = np.unique(own, return_index=True)
    first[present[present >= 0]] = at[present >= 0]
    n_tokens = np.bincount(text.documents[text.usable].numpy(), minlength=len(text.names))
    documents = {
        "document": np.arange(len(text.names), dtype=np.uint32),
        "name": np.array(text.names, dtype=object),
        "start_pos": first.astype(np.uint64),
        "n_tokens": n_tokens.astype(np.uint32),
    }
    query = "SELECT document, name::VARCHAR AS name, start_pos, n_tokens FROM given"
    database.write(folder / "documents.parquet", query, documents)


def _write_contexts(text: TableText, reading: Reading, folder: Path, database: Database) -> None:
    parts = []
    for first in range(0, text.n_blocks, BLOCKS_AT_ONCE):
        blocks = range(first, min(first + BLOCKS_AT_ONCE, text.n_blocks))
        parts.append(folder / ".work" / f"contexts-{first:08d}.parquet")
        given = {"block": np.array(blocks, dtype=np.uint32), "texts": reading.blocks(blocks)}
        database.write(parts[-1], "SELECT block, texts::VARCHAR[] AS texts FROM given", given)
    database.write(folder / "contexts.parquet", f"SELECT * FROM {rows_of(parts)}")


def vocabulary(text: TableText, tokenizer: Tokenizer) -> list[str]:
    """Every token in the middle of a text, since some tokenizers drop a space at the beginning; a piece
    of a character shows as U+FFFD."""
    before = tokenizer.encode(["a"])[0]
    return [tokenizer.token_texts([*before, token])[-1] for token in range(text.d_vocab)]
