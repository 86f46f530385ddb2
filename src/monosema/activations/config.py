"""How activations are taken: the settings a store is made with and is known by. Imports no torch."""

from dataclasses import dataclass
from typing import Literal

from monosema.core.config import require_range


@dataclass(frozen=True)
class HarvestConfig:
    """Which rows are kept, how they are stored, and how far apart the shuffle reaches.

    batch_size        token blocks in one forward pass
    fast              fused attention and the fastest products of float32 accuracy, which are the same to
                      rounding; without it the bits of every other pass of the model
    dtype             of the rows on disk and in the shuffle buffer; batches come out as float32
    shard_rows        a shard is the whole passes nearest to this many positions, and what an
                      interrupted harvest loses at most
    outlier_factor    a row is an outlier when its norm is more than this many times the median norm
                      of the first shard's usable rows, at any of the sites
    exclude_bos, exclude_padding, exclude_outliers
                      what is left out, and counted
    buffer_rows       rows shuffled together; two buffers of at most 1 GiB are in memory at a time
    """

    batch_size: int = 32
    fast: bool = True
    dtype: Literal["bfloat16", "float16", "float32"] = "float16"
    shard_rows: int = 65_536
    outlier_factor: float = 10.0
    exclude_bos: bool = True
    exclude_padding: bool = True
    exclude_outliers: bool = True
    buffer_rows: int = 262_144

    def __post_init__(self) -> None:
        require_range("batch_size", self.batch_size, 1)
        require_range("shard_rows", self.shard_rows, 1)
        require_range("outlier_factor", self.outlier_factor, 1, open_low=True)
        require_range("buffer_rows", self.buffer_rows, 1)

    def blocks_per_shard(self, context: int) -> int:
        """Token blocks of `context` tokens in a shard: whole passes, so that a shard never depends on another."""
        return max(1, round(self.shard_rows / (context * self.batch_size))) * self.batch_size
