"""Windows of 32 tokens of a table's text, and which documents explain and which judge.

document  ........|........|.....      cut into windows; what is left over is one if it has at least LEAST
documents --seeded order--> the first half of the tokens judges, the other explains; none does both
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from monosema.core.errors import DamagedError, DataError
from monosema.core.seeding import derive
from monosema.corpus.blocks import TokenBlocks
from monosema.features.effects.subjects import counted_tokens
from monosema.features.mixing import mixed
from monosema.features.tables.database import Database, rows_of
from monosema.features.tables.text import TableText

WIDTH = 32
"""Tokens of a window."""

LEAST = 8
"""Tokens that the last window of a stretch must have."""

MAX_POSITIONS = 2**20
"""Usable positions taken part in; of a longer text, whole documents drawn at random."""


@dataclass(frozen=True)
class Windows:
    """The windows of a text, in its order. Places are flat: block * context + position.

    starts     of each window, a place      sizes  in tokens, LEAST to WIDTH      documents  it lies in
    judging    whether scores are made from it; the others explain
    number_of  of the window that each place of the text lies in; -1 where it is in none
    """

    text: TableText
    starts: Int64[Tensor, "window"]
    sizes: Int64[Tensor, "window"]
    documents: Int64[Tensor, "window"]
    judging: Bool[Tensor, "window"]
    number_of: Int64[Tensor, "position"]

    @staticmethod
    def of(text: TableText, seed: int) -> "Windows":
        """Cut `text`. Raises DataError where it has not two documents with a window."""
        starts, sizes = _cut(text)
        documents = text.documents.flatten()[starts]
        part, judge = _split(text, documents, seed)
        kept = part[documents]
        starts, sizes, documents = starts[kept], sizes[kept], documents[kept]
        number_of = torch.full((text.tokens.numel(),), -1)
        places, owner = _places(starts, sizes)
        number_of[places] = owner
        return Windows(text, starts, sizes, documents, judge[documents], number_of)

    def __len__(self) -> int:
        return len(self.starts)

    def places(self, windows: Int64[Tensor, "some"]) -> tuple[Int64[Tensor, "place"], Int64[Tensor, "place"]]:
        """The places of some windows, one window after the other; and for each which of `windows` it is in."""
        return _places(self.starts[windows], self.sizes[windows])

    def tokens(self, places: Int64[Tensor, "place"]) -> Int64[Tensor, "place"]:
        """The tokens at some places."""
        return self.text.tokens.flatten()[places]


def read_text(folder: Path, fingerprint: str, database: Database) -> TableText:
    """The text of the table in `folder`, as it was built from. Raises DamagedError."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / "tokens.safetensors"
    try:
        stored = load_file(path)
    except (SafetensorError, FileNotFoundError) as error:
        again = "build the table again with `monosema features RUN`"
        raise DamagedError(f"{path} cannot be read ({error}): {again}") from error
    tokens, documents, mask = stored["ids"].long(), stored["document"].long(), stored["mask"]
    usable = mask == 0
    names = database.fetch(f"SELECT name FROM {rows_of([folder / 'documents.parquet'])} ORDER BY document")["name"]
    d_vocab = int(database.fetch(f"SELECT count(*) AS n FROM {rows_of([folder / 'text.parquet'])}")["n"][0])
    counted = counted_tokens(TokenBlocks(tokens, documents, usable))
    return TableText(tokens, documents, usable, counted, tuple(map(str, names)), d_vocab, fingerprint)


def _cut(text: TableText) -> tuple[Int64[Tensor, "window"], Int64[Tensor, "window"]]:
    edges, usable = text.stretches(), text.usable.numpy().ravel()
    first, stop = edges[:-1], edges[1:]
    its = usable[first]
    first, stop = first[its], stop[its]
    counts = -(-(stop - first) // WIDTH)
    within = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    starts = np.repeat(first, counts) + WIDTH * within
    sizes = np.minimum(np.repeat(stop, counts) - starts, WIDTH)
    long = sizes >= LEAST
    return torch.from_numpy(starts[long]).long(), torch.from_numpy(sizes[long]).long()


def _split(
    text: TableText, documents: Int64[Tensor, "window"], seed: int
) -> tuple[Bool[Tensor, "document"], Bool[Tensor, "document"]]:
    """Which documents take part, and which of these judge: half of the tokens, but at least one of each kind."""
    n_tokens = torch.bincount(text.documents[text.usable], minlength=len(text.names))
    there = documents.unique()
    if len(there) < 2:
        raise DataError(
            f"the table's text has {len(there)} document with {LEAST} tokens in a row: explaining from one and "
            "scoring on another takes at least two; build it from more text"
        )
    order = there[mixed(there, derive(seed, "documents that explain")).argsort()]
    before = n_tokens[order].cumsum(0) - n_tokens[order]
    order = order[(before < MAX_POSITIONS) | (torch.arange(len(order)) < 2)]
    before = before[: len(order)]
    judges = before < n_tokens[order].sum() / 2
    judges[-1] = False
    part, judge = (torch.zeros(len(text.names), dtype=torch.bool) for _ in range(2))
    part[order], judge[order[judges]] = True, True
    return part, judge


def _places(starts: Tensor, sizes: Tensor) -> tuple[Int64[Tensor, "place"], Int64[Tensor, "place"]]:
    owner = torch.repeat_interleave(torch.arange(len(starts)), sizes)
    within = torch.arange(int(sizes.sum())) - torch.repeat_interleave(sizes.cumsum(0) - sizes, sizes)
    return starts[owner] + within, owner
