"""The settings of a feature table. Imports no torch."""

from dataclasses import dataclass

from monosema.core.config import require_range


@dataclass(frozen=True)
class BuildConfig:
    """From how much text a table is made, and how much of it is measured exactly.

    max_tokens      positions of text; of a longer corpus, whole blocks at even distances
    n_top           features of the largest importance to second order, whose total effect is measured
    n_calibration   features drawn at random for the same, on which the first order is judged
    n_contexts      contexts in which each of them is measured
    n_examples      examples of the groups top and random active; half as many of the others
    n_effects       examples of the groups top, most helpful and most harmful whose effects on each
                    token are measured; four times as many of the features above
    before, after   tokens shown on either side
    batch_tokens    tokens in one pass; several passes make a chunk, which is kept when a build is killed
    memory_mb       of DuckDB, which sorts on disk beyond it
    """

    max_tokens: int = 65_536
    n_top: int = 32
    n_calibration: int = 32
    n_contexts: int = 12
    n_examples: int = 8
    n_effects: int = 1
    before: int = 16
    after: int = 8
    batch_tokens: int = 4096
    memory_mb: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("max_tokens", "n_contexts", "n_examples", "batch_tokens"):
            require_range(name, getattr(self, name), 1)
        for name in ("n_top", "n_calibration", "n_effects", "before", "after", "seed"):
            require_range(name, getattr(self, name), 0)
        require_range("memory_mb", self.memory_mb, 64)
