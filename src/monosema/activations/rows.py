"""Rows: one position of one document each, with the activation at every site.

    activations  {"resid_post.2": [row, 128], ...}     tokens, documents, positions  [row]

`Rows` are as stored (float16 and int32, say); a `Batch` is what a reader gets (float32 and int64).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Int, Int64
from torch import Tensor

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
INDEX_DTYPE = torch.int32
INDEXES = ("tokens", "documents", "positions")


@dataclass(frozen=True)
class Batch:
    """Shuffled rows: activations by site, and where each row comes from.

    `positions` count from the start of the token block, as the model saw it; `documents` are
    numbers that the corpus's `document_name` turns into names.
    """

    activations: dict[str, Float32[Tensor, "batch _"]]
    tokens: Int64[Tensor, "batch"]
    documents: Int64[Tensor, "batch"]
    positions: Int64[Tensor, "batch"]

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True)
class Rows:
    """Rows as they are stored; the fields are those of `Batch`."""

    activations: dict[str, Float[Tensor, "row _"]]
    tokens: Int[Tensor, "row"]
    documents: Int[Tensor, "row"]
    positions: Int[Tensor, "row"]

    def __len__(self) -> int:
        return len(self.tokens)

    def fields(self) -> dict[str, Tensor]:
        """Every tensor by name: the sites, then `INDEXES`."""
        return {**self.activations, "tokens": self.tokens, "documents": self.documents, "positions": self.positions}

    def take(self, index: Int64[Tensor, "picked"]) -> "Rows":
        """The rows at `index`, in that order, as a copy."""
        return from_fields({name: tensor.index_select(0, index) for name, tensor in self.fields().items()})


def from_fields(fields: dict[str, Tensor]) -> Rows:
    """The inverse of `Rows.fields`."""
    return Rows({name: fields[name] for name in fields if name not in INDEXES}, *(fields[name] for name in INDEXES))


def empty(n: int, widths: Mapping[str, int], dtype: torch.dtype) -> Rows:
    """`n` rows to be written over. Ordinary tensors even under inference mode, so that they can be trained on."""
    with torch.inference_mode(False):
        activations = {site: torch.empty(n, width, dtype=dtype) for site, width in widths.items()}
        return Rows(activations, *(torch.empty(n, dtype=INDEX_DTYPE) for _ in INDEXES))


def write(into: Rows, start: int, fields: Mapping[str, Tensor]) -> None:
    """Copy rows, given as fields, over those of `into` from `start` on, converting the types."""
    for name, tensor in into.fields().items():
        tensor[start : start + len(fields[name])] = fields[name]


def row_bytes(widths: Mapping[str, int], dtype: torch.dtype) -> int:
    """What one stored row takes."""
    return sum(widths.values()) * dtype.itemsize + len(INDEXES) * INDEX_DTYPE.itemsize


def as_batch(parts: Sequence[Rows]) -> Batch:
    """The parts one after the other, as a reader gets them."""
    fields = [part.fields() for part in parts]
    joined = {
        name: fields[0][name] if len(fields) == 1 else torch.cat([part[name] for part in fields]) for name in fields[0]
    }
    return Batch(
        {name: tensor.float() for name, tensor in joined.items() if name not in INDEXES},
        *(joined[name].long() for name in INDEXES),
    )
