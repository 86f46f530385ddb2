"""Sparse codes: which features fire on each row, and how strongly. Never a batch x n_features matrix.

indices [nnz]      the feature of each entry, rows one after the other
values  [nnz]      its activation
offsets [batch+1]  row r owns entries offsets[r] .. offsets[r+1]

row 0: {2: .5, 7: 1.0}, row 1: {}, row 2: {2: .1}
indices 2 7 2    values .5 1.0 .1    offsets 0 2 2 3
"""

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor


@dataclass(frozen=True)
class SparseCodes:
    """The codes of a batch of rows. Values are kept in the order of `indices`; none is zero."""

    indices: Int64[Tensor, "nnz"]
    values: Float[Tensor, "nnz"]
    offsets: Int64[Tensor, "rows_plus_1"]
    n_features: int
    _places: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What was worked out about the places; codes of other values at the same places share it."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @staticmethod
    def from_dense(f: Float[Tensor, "batch n_features"]) -> "SparseCodes":
        """The codes of a dense matrix: its non-zero entries."""
        active = f != 0
        rows, indices = active.nonzero(as_tuple=True)
        return SparseCodes(indices, f[rows, indices], offsets_of(active.sum(1)), f.shape[1])

    @staticmethod
    def concatenate(parts: "list[SparseCodes]") -> "SparseCodes":
        """The rows of all `parts`, in order. All must have the same n_features."""
        counts = torch.cat([part.offsets.diff() for part in parts])
        indices = torch.cat([part.indices for part in parts])
        return SparseCodes(indices, torch.cat([part.values for part in parts]), offsets_of(counts), parts[0].n_features)

    @staticmethod
    def side_by_side(parts: "list[SparseCodes]") -> "SparseCodes":
        """The same rows by several dictionaries, their features numbered one after the other."""
        counts = torch.stack([part.l0() for part in parts])
        offsets = offsets_of(counts.sum(0))
        begins = offsets[:-1] + counts.cumsum(0) - counts
        indices = torch.empty(int(offsets[-1]), dtype=torch.int64, device=offsets.device)
        values, first = parts[0].values.new_empty(len(indices)), 0
        for part, begin in zip(parts, begins, strict=True):
            at = torch.arange(len(part.indices), device=begin.device) + (begin - part.offsets[:-1])[part.rows()]
            indices[at], values[at] = part.indices + first, part.values
            first += part.n_features
        return SparseCodes(indices, values, offsets, first)

    def dense(self) -> Float[Tensor, "batch n_features"]:
        """The same codes as a matrix, for small cases and for matrices that are hardly sparse."""
        f = self.values.new_zeros(len(self), self.n_features)
        f.view(-1)[self.rows() * self.n_features + self.indices] = self.values
        return f

    def rows(self) -> Int64[Tensor, "nnz"]:
        """The row of each entry."""
        if "rows" not in self._places:
            rows = torch.arange(len(self), device=self.indices.device)
            self._places["rows"] = torch.repeat_interleave(rows, self.l0(), output_size=len(self.indices))
        return self._places["rows"]

    def l0(self) -> Int64[Tensor, "batch"]:
        """How many features fire on each row."""
        return self.offsets.diff()

    def counts(self) -> Int64[Tensor, "n_features"]:
        """On how many rows each feature fires."""
        if "counts" not in self._places:
            self._places["counts"] = torch.bincount(self.indices, minlength=self.n_features)
        return self._places["counts"]

    def spread(self, table: Float[Tensor, "n_features"]) -> Float[Tensor, "nnz"]:
        """The number in `table` of each entry's feature. The gradient is summed in the order of the entries, which
        that of plain indexing is not when torch has several threads: two runs of the same seed would differ."""
        return table.index_select(0, self.indices)

    def keep(self, mask: Bool[Tensor, "n_features"]) -> "SparseCodes":
        """The codes without the features where `mask` is False; nothing is selected in their place."""
        return self.where(mask[self.indices])

    def where(self, wanted: Bool[Tensor, "nnz"]) -> "SparseCodes":
        """The codes without the entries where `wanted` is False."""
        if bool(wanted.all()):
            return self
        before = torch.zeros(len(wanted) + 1, dtype=torch.int64, device=wanted.device)
        torch.cumsum(wanted, 0, out=before[1:])
        return SparseCodes(self.indices[wanted], self.values[wanted], before[self.offsets], self.n_features)

    def with_values(self, values: Float[Tensor, "nnz"]) -> "SparseCodes":
        """Other values at the same places; what was worked out about the places is kept."""
        return replace(self, values=values)

    def detached(self) -> "SparseCodes":
        """The same codes without gradient."""
        return self.with_values(self.values.detach())

    @property
    def by_feature(self) -> tuple[Int64[Tensor, "nnz"], Int64[Tensor, "n_features_plus_1"]]:
        """(order, offsets): the entries sorted by feature, and where each feature's entries begin."""
        if "by_feature" not in self._places:
            small = self.n_features <= torch.iinfo(torch.int16).max  # narrow keys sort in half the time
            keys = self.indices.to(torch.int16) if small else self.indices
            self._places["by_feature"] = torch.sort(keys, stable=True).indices, offsets_of(self.counts())
        return self._places["by_feature"]


def offsets_of(counts: Int64[Tensor, "rows"]) -> Int64[Tensor, "rows_plus_1"]:
    """Where each row begins when row r has counts[r] entries, and the end of the last."""
    offsets = torch.zeros(len(counts) + 1, dtype=torch.int64, device=counts.device)
    torch.cumsum(counts, 0, out=offsets[1:])
    return offsets
