"""A store of activations, opened: shuffled batches from shards on disk, and whether they are intact.

00000.safetensors  [slice | slice | slice | rest]      slices of 1,024 rows or fewer, from
00001.safetensors  [slice | slice | slice | rest]      all shards, are what is shuffled first
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor

from monosema.activations.manifest import Manifest, read_manifest
from monosema.activations.rows import DTYPES, Batch, Rows, empty, row_bytes, write
from monosema.activations.shards import check_bytes, check_size, map_shard
from monosema.activations.shuffle import Pool, batches, capacity, n_groups
from monosema.core.errors import DamagedError, RunError
from monosema.core.progress import progress

SLICE_ROWS = 1024
SLICES_A_BUFFER = 256
"""A buffer is filled from at least this many places, so that a batch mixes that many; slices shrink for it."""


@dataclass(frozen=True)
class ActivationStore:
    """Every kept row of a corpus at some sites of a model. Make one with `harvest`, open one with `open_store`."""

    path: Path
    manifest: Manifest

    @property
    def widths(self) -> dict[str, int]:
        """Columns at each site."""
        return self.manifest.widths

    @property
    def n_rows(self) -> int:
        return sum(shard.rows for shard in self.manifest.shards)

    @property
    def fingerprint(self) -> str:
        return self.manifest.fingerprint

    @property
    def model_fingerprint(self) -> str:
        return self.manifest.model_fingerprint

    @property
    def corpus_fingerprint(self) -> str:
        return self.manifest.corpus_fingerprint

    @property
    def excluded(self) -> dict[str, int]:
        """Positions left out, by reason: bos, padding, outlier_norm."""
        counts = [shard.excluded for shard in self.manifest.shards]
        return {reason: sum(getattr(c, reason) for c in counts) for reason in ("bos", "padding", "outlier_norm")}

    def batches(self, batch_size: int, seed: int, start: int = 0) -> Iterator[Batch]:
        """Endless batches of `batch_size` rows in float32, from step `start` on, epoch after epoch.

        Each epoch hands out every row once, in another order, less the rows that do not fill a last
        batch. The same arguments give the same batches; `start` costs no reading. Two buffers of
        `config.buffer_rows` rows are in memory at most; the next is loaded in a thread, which ends
        when the iterator is closed. Raises ConfigError when the store has fewer rows than a batch.
        """
        return batches(self._pool, batch_size, seed, start)

    def verify(self) -> None:
        """Read every shard and raise DamagedError, naming the file, for the first that is not as it was written."""
        with progress("verify", len(self.manifest.shards), "shard") as bar:
            for shard in self.manifest.shards:
                check_bytes(self.path / shard.file, shard.bytes, shard.checksum)
                bar.advance()

    @cached_property
    def _pool(self) -> Pool:
        config = self.manifest.config
        rows = capacity(row_bytes(self.widths, DTYPES[config.dtype]), config.buffer_rows)
        slice_rows = SLICE_ROWS if self.n_rows <= rows else max(1, min(SLICE_ROWS, rows // SLICES_A_BUFFER))
        table = _slices([shard.rows for shard in self.manifest.shards], slice_rows)
        sizes = table[:, 2] - table[:, 1]
        return Pool(sizes, n_groups(sizes, rows), lambda pieces: self._load(table[pieces]), ahead=True)

    def _load(self, slices: Int64[Tensor, "piece 3"]) -> Rows:
        rows = empty(int((slices[:, 2] - slices[:, 1]).sum()), self.widths, DTYPES[self.manifest.config.dtype])
        at = 0
        for shard, members in groupby(slices.tolist(), key=itemgetter(0)):
            fields = self._map(shard).fields()
            for _, start, stop in members:
                write(rows, at, {name: tensor[start:stop] for name, tensor in fields.items()})
                at += stop - start
        return rows

    def _map(self, shard: int) -> Rows:
        record = self.manifest.shards[shard]
        rows = map_shard(self.path / record.file, record.bytes)
        found = {site: x.shape[1] for site, x in rows.activations.items()}
        if len(rows) != record.rows or found != self.widths:
            raise DamagedError(f"{self.path / record.file} was edited: it holds {len(rows):,} rows of {found}")
        return rows


def open_store(path: Path | str, *, verify: bool = False) -> ActivationStore:
    """The store at `path`. Every shard must have its size; with `verify`, every byte must be as it was written.

    Raises RunError when there is no store or its harvest was interrupted, DamagedError naming a file
    that is missing, truncated or edited.
    """
    path = Path(path)
    manifest = read_manifest(path)
    if len(manifest.shards) < manifest.n_shards:
        done = f"{len(manifest.shards)} of {manifest.n_shards} shards are whole"
        raise RunError(f"the harvest in {path} was interrupted, {done}: repeat the same harvest, it resumes")
    for shard in manifest.shards:
        check_size(path / shard.file, shard.bytes)
    store = ActivationStore(path, manifest)
    if verify:
        store.verify()
    return store


def _slices(shards: list[int], slice_rows: int) -> Int64[Tensor, "piece 3"]:
    """(shard, first row, one past the last) of every slice."""
    parts = [torch.empty(0, 3, dtype=torch.int64)]
    for shard, n in enumerate(shards):
        starts = torch.arange(0, n, slice_rows)
        parts.append(torch.stack([torch.full_like(starts, shard), starts, (starts + slice_rows).clamp(max=n)], 1))
    return torch.cat(parts)
