"""Candidates scored in float32, and lists of entries put together as sparse codes."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from monosema.dictionaries.codes import SparseCodes, offsets_of
from monosema.dictionaries.kernels.triton.plan import Tile
from monosema.dictionaries.kernels.triton.rank import features_of, keys_of, kth_largest, values_of
from monosema.dictionaries.kernels.triton.scan import Candidates
from monosema.dictionaries.kernels.triton.split import Precision, Split, split
from monosema.dictionaries.kernels.triton.sums import pair_products


class Encoder(NamedTuple):
    """W_enc and b_enc as they are, W_enc as it is scanned, and how."""

    W_enc: Float32[Tensor, "n_features d_in"]
    b_enc: Float32[Tensor, "n_features"]
    scanned: Split
    tile: Tile
    precision: Precision

    @staticmethod
    def of(W_enc: Tensor, b_enc: Tensor, tile: Tile, precision: Precision) -> "Encoder":
        return Encoder(W_enc.contiguous(), b_enc, split(W_enc, tile.features, tile.depth, precision), tile, precision)

    def split(self, x: Float32[Tensor, "batch d_in"]) -> Split:
        """x as it is scanned."""
        return split(x, self.tile.rows, self.tile.depth, self.precision)

    def score(self, x: Float32[Tensor, "batch d_in"], rows: Tensor, features: Tensor) -> Float32[Tensor, "nnz"]:
        """The pre-activations at these places, in float32."""
        return pair_products(x, self.W_enc, rows, features) + self.b_enc[features]


class Entries(NamedTuple):
    """Row, feature and pre-activation of each entry, in any order."""

    rows: Int64[Tensor, "nnz"]
    features: Int64[Tensor, "nnz"]
    values: Float32[Tensor, "nnz"]

    @staticmethod
    def of(codes: SparseCodes, rows: Int64[Tensor, "batch"]) -> "Entries":
        """The entries of `codes`, whose rows are the given ones."""
        return Entries(rows[codes.rows()], codes.indices, codes.values)

    @staticmethod
    def joined(parts: "list[Entries]") -> "Entries":
        return Entries(*(torch.cat(pieces) for pieces in zip(*parts, strict=True)))

    def at(self, which: Tensor) -> "Entries":
        return Entries(self.rows[which], self.features[which], self.values[which])

    def codes(self, n_rows: int, n_features: int) -> SparseCodes:
        """As sparse codes, each row's entries in order of feature."""
        entries = self.at((self.rows * n_features + self.features).argsort())
        counts = torch.bincount(entries.rows, minlength=n_rows)
        return SparseCodes(entries.features, entries.values, offsets_of(counts), n_features)

    def largest(self, total: int, n_features: int) -> "Entries":
        """The `total` largest of the positive ones; of equal ones those of the lower row, then feature."""
        entries = self.at(self.values > 0)
        if len(entries.values) <= total:
            return entries
        entries = entries.at((entries.rows * n_features + entries.features).argsort())
        return entries.at(entries.values.sort(descending=True, stable=True).indices[:total])


def score_rows(
    candidates: Candidates, x: Float32[Tensor, "batch d_in"], encoder: Encoder, k: int
) -> tuple[Int64[Tensor, "batch capacity"], Int64[Tensor, "batch"]]:
    """(keys of the scores, the k-th largest key of each row); 0 where a candidate cannot be among the k
    largest of its row. The best k by upper bound are scored first: the k-th largest of those scores is one
    that the others have to reach."""
    bounds = candidates.keys
    scores = torch.zeros_like(bounds)

    def score(which: Tensor) -> None:
        row, at = which.nonzero(as_tuple=True)
        feature = features_of(bounds[row, at])
        scores[row, at] = keys_of(encoder.score(x, row, feature), feature)

    best = bounds >= kth_largest(bounds, k).clamp(min=1)[:, None]
    score(best)
    reached = kth_largest(scores, k) >> 32
    score((bounds >> 32 >= reached[:, None]) & (bounds > 0) & ~best)
    return scores, kth_largest(scores, k)


def score_batch(
    rows: Int64[Tensor, "nnz"],
    bounds: Int64[Tensor, "nnz"],
    x: Float[Tensor, "batch d_in"],
    encoder: Encoder,
    total: int,
) -> Entries:
    """The same for the `total` largest of a whole batch: keys of upper bounds `bounds` in `rows`."""
    features, upper = features_of(bounds), values_of(bounds)

    def score(which: Tensor) -> Entries:
        at = which.nonzero().view(-1)
        return Entries(rows[at], features[at], encoder.score(x, rows[at], features[at]))

    best = torch.zeros_like(rows, dtype=torch.bool)
    best[upper.topk(min(total, len(upper)), sorted=False).indices] = True
    first = score(best)
    reached = float(first.values.min()) if 0 < total <= len(upper) else 0.0
    return Entries.joined([first, score(~best & (upper >= reached))])
