"""Shuffled batches from pieces too many to hold at once: repeatable, bounded, resumable at any step.

    pieces (slices of shards, or token blocks)   each with a known number of rows
      --permute, cut into groups-->  group       as many pieces as the buffer holds
      --load, permute rows------->   rows        --cut--> Batch, Batch, ...

Both permutations depend on (seed, epoch, group) alone, so that step 1,000,000 is found by adding up
sizes. A batch may straddle two groups, never two epochs: the rows left over at the end of an epoch
are dropped, and another permutation drops others in the next.
"""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import count

import torch
from jaxtyping import Int64
from torch import Tensor

from monosema.activations.rows import Batch, Rows, as_batch
from monosema.core.config import require_range
from monosema.core.errors import ConfigError
from monosema.core.seeding import generator

BUFFER_BYTES = 1 << 30
"""The most one buffer may take, whatever `buffer_rows` asks for."""


@dataclass(frozen=True)
class Pool:
    """What is shuffled.

    sizes     rows in each piece
    n_groups  into how many loads an epoch is divided
    load      the rows of the given pieces, piece after piece, in the order given
    ahead     whether the next group is loaded, in a thread, while this one is read
    """

    sizes: Int64[Tensor, "piece"]
    n_groups: int
    load: Callable[[Tensor], Rows]
    ahead: bool

    @property
    def n_rows(self) -> int:
        return int(self.sizes.sum())


def capacity(row_bytes: int, buffer_rows: int) -> int:
    """Rows that one buffer may hold: `buffer_rows`, or fewer when these would take more than BUFFER_BYTES."""
    return max(1, min(buffer_rows, BUFFER_BYTES // row_bytes))


def n_groups(sizes: Int64[Tensor, "piece"], capacity: int) -> int:
    """The fewest groups that pieces in any order can be cut into, so that none has more than `capacity` rows.

    A piece is never cut: one that is larger than the buffer makes a group of its own.
    """
    if int(sizes.sum()) <= capacity:
        return 1
    return -(-len(sizes) // max(1, capacity // int(sizes.max())))


def batches(pool: Pool, batch_size: int, seed: int, start: int) -> Iterator[Batch]:
    """Endless batches of exactly `batch_size` rows, the first being number `start` of the sequence.

    Raises ConfigError, at once, when the pool has fewer rows than a batch.
    """
    require_range("batch_size", batch_size, 1)
    require_range("start", start, 0)
    if batch_size > pool.n_rows:
        raise ConfigError(
            f"batch_size is {batch_size:,} and there are {pool.n_rows:,} rows: use smaller batches or more text"
        )
    return _batches(pool, batch_size, _jobs(pool, batch_size, seed, start))


@dataclass(frozen=True)
class _Job:
    """A group to load, and which of its rows to hand out in which order."""

    pieces: Int64[Tensor, "piece"]
    order: Int64[Tensor, "row"]


def _jobs(pool: Pool, batch_size: int, seed: int, start: int) -> Iterator[_Job]:
    steps = pool.n_rows // batch_size
    skip = (start % steps) * batch_size
    for epoch in count(start // steps):
        left = steps * batch_size - skip
        pieces = torch.randperm(len(pool.sizes), generator=generator(seed, "pieces", epoch))
        for group, members in enumerate(pieces.tensor_split(pool.n_groups)):
            n = int(pool.sizes[members].sum())
            if skip < n and left > 0:
                order = torch.randperm(n, generator=generator(seed, "rows", epoch, group))[skip : skip + left]
                yield _Job(members.sort().values, order)
                left -= len(order)
            skip = max(0, skip - n)


def _batches(pool: Pool, batch_size: int, jobs: Iterator[_Job]) -> Iterator[Batch]:
    parts: list[Rows] = []
    with closing(_ahead(pool, jobs) if pool.ahead else _one_by_one(pool, jobs)) as loaded:
        for job, rows in loaded:
            at = 0
            while at < len(job.order):
                index = job.order[at : at + batch_size - sum(map(len, parts))]
                parts.append(rows.take(index))
                at += len(index)
                if sum(map(len, parts)) == batch_size:
                    yield as_batch(parts)
                    parts = []
            del rows  # so that two buffers are held at a time and not three


def _one_by_one(pool: Pool, jobs: Iterator[_Job]) -> Generator[tuple[_Job, Rows], None, None]:
    for job in jobs:
        yield job, pool.load(job.pieces)


def _ahead(pool: Pool, jobs: Iterator[_Job]) -> Generator[tuple[_Job, Rows], None, None]:
    with ThreadPoolExecutor(1, thread_name_prefix="activations") as thread:
        job = next(jobs)
        loading = thread.submit(pool.load, job.pieces)
        for following in jobs:
            rows = loading.result()
            loading = thread.submit(pool.load, following.pieces)
            yield job, rows
            del rows
            job = following
