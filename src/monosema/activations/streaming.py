"""Shuffled batches straight from the model: the interface of a store, without the disk.

    token blocks --permute--> group --model.run--> rows --permute--> Batch, Batch, ...

For runs whose store would not fit. Each epoch runs the model over the corpus again, one buffer at a
time; what a store costs in bytes, this costs in forward passes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Int64
from torch import Tensor

from monosema.activations.config import HarvestConfig
from monosema.activations.harvesting import first_limits
from monosema.activations.passes import Model, Pass, Tokens, inliers, kept, require_tokens, resolve_sites, run
from monosema.activations.rows import DTYPES, Batch, Rows, empty, row_bytes, write
from monosema.activations.shuffle import Pool, batches, capacity, n_groups
from monosema.core.config import to_json
from monosema.core.errors import DataError
from monosema.core.fingerprints import of_bytes

COUNT_BLOCKS = 1024


@dataclass(frozen=True)
class _Blocks:
    """Some blocks as one: what `Tokens.blocks` gives, for blocks that are not neighbours."""

    tokens: Int64[Tensor, "batch seq"]
    documents: Int64[Tensor, "batch seq"]
    usable: Tensor


@dataclass(frozen=True)
class Stream:
    """The rows that a store of the same settings would hold, computed when asked for. Make one with `stream`.

    One thing differs: in place of an outlier comes the next row of its group that is none. So the number
    of rows is known from the tokens alone, and any step can be resumed at without running those before.
    """

    model: Model
    tokens: Tokens
    widths: dict[str, int]
    config: HarvestConfig
    limits: dict[str, float]

    @property
    def n_rows(self) -> int:
        return self._pool.n_rows

    @property
    def model_fingerprint(self) -> str:
        return self.model.fingerprint

    @property
    def corpus_fingerprint(self) -> str:
        return self.tokens.fingerprint

    @cached_property
    def fingerprint(self) -> str:
        parts = ["stream", self.model.fingerprint, self.tokens.fingerprint, str(self.widths), str(to_json(self.config))]
        return of_bytes(part.encode() for part in parts)

    def batches(self, batch_size: int, seed: int, start: int = 0) -> Iterator[Batch]:
        """As `ActivationStore.batches`; one buffer is in memory, and the model runs in the caller's thread
        (another one would run it under the caller's own hooks)."""
        return batches(self._pool, batch_size, seed, start)

    @cached_property
    def _pool(self) -> Pool:
        sizes = [torch.empty(0, dtype=torch.int64)]
        for start in range(0, self.tokens.n_blocks, COUNT_BLOCKS):
            blocks = self.tokens.blocks(start, min(start + COUNT_BLOCKS, self.tokens.n_blocks))
            sizes.append(kept(blocks, self.config)[0].sum(1))
        counts = torch.cat(sizes)
        rows = capacity(row_bytes(self.widths, DTYPES[self.config.dtype]), self.config.buffer_rows)
        return Pool(counts, n_groups(counts, rows), self._load, ahead=False)

    def _load(self, members: Int64[Tensor, "piece"]) -> Rows:
        rows = empty(int(self._pool.sizes[members].sum()), self.widths, DTYPES[self.config.dtype])
        good, at = [], 0
        for some in members.split(self.config.batch_size):
            part = self._run(some)
            write(rows, at, part.rows.fields())
            good.append(at + inliers(part, self.limits, self.config, self.tokens))
            at += len(part.rows)
        return _without_outliers(rows, torch.cat(good))

    def _run(self, members: Int64[Tensor, "piece"]) -> Pass:
        blocks = [self.tokens.blocks(i, i + 1) for i in members.tolist()]
        joined = _Blocks(*(torch.cat([getattr(b, name) for b in blocks]) for name in ("tokens", "documents", "usable")))
        return run(self.model, joined, self.widths, self.config, self.tokens)


def stream(model: Model, tokens: Tokens, sites: Sequence[str], config: HarvestConfig | None = None) -> Stream:
    """The activations of `model` at `sites`, computed while they are read.

    With `exclude_outliers` the blocks of a store's first shard are run once now, for the limits, which
    are then the store's. Raises as `harvest` does; what is not finite is found when it is reached.
    """
    config = config or HarvestConfig()
    widths = resolve_sites(model, sites)
    require_tokens(model, tokens.context, tokens.d_vocab)
    if tokens.n_blocks == 0:
        raise DataError("the corpus holds no token blocks: there is nothing to run the model on")
    limits: dict[str, float] = {}
    if config.exclude_outliers:
        stop = min(config.blocks_per_shard(tokens.context), tokens.n_blocks)
        starts = range(0, stop, config.batch_size)
        spans = [(start, min(start + config.batch_size, stop)) for start in starts]
        limits = first_limits([run(model, tokens.blocks(*span), widths, config, tokens) for span in spans], config)
    return Stream(model, tokens, widths, config, limits)


def _without_outliers(rows: Rows, good: Int64[Tensor, "good"]) -> Rows:
    """`rows` with every row that is not in `good` (ascending) overwritten by the next one that is."""
    if len(good) == len(rows):
        return rows
    if len(good) == 0:
        raise DataError(
            "every row of a buffer is an outlier: raise outlier_factor, or keep them with exclude_outliers=False"
        )
    bad = torch.ones(len(rows), dtype=torch.bool)
    bad[good] = False
    places = bad.nonzero().flatten()
    source = good[torch.searchsorted(good, places) % len(good)]
    for tensor in rows.fields().values():
        tensor[places] = tensor[source]
    return rows
