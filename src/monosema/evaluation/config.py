"""Settings of scoring and of the prune study. Imports no torch."""

import math
from dataclasses import dataclass, field
from typing import Literal

from monosema.core.config import require, require_range


@dataclass(frozen=True)
class ScoreConfig:
    """Which held-out tokens are scored, and how many at a time.

    batch_size         token blocks in one forward pass; its logits are in memory twice
    max_tokens         positions of the blocks that are scored: when there are more, whole blocks at
                       even distances over the held-out part, so that no document is preferred
    outlier_factor     a row is an outlier when its norm is more than this many times the median norm
                       of the usable rows at that site (the rule of the harvest)
    exclude_outliers   leave outliers as the model made them: neither scored nor spliced
    seed               of the resamples of the documents
    """

    batch_size: int = 8
    max_tokens: int = 262_144
    outlier_factor: float = 10.0
    exclude_outliers: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        require_range("batch_size", self.batch_size, 1)
        require_range("max_tokens", self.max_tokens, 1)
        require_range("outlier_factor", self.outlier_factor, 1, open_low=True)


@dataclass(frozen=True)
class PruneConfig:
    """Which features the prune study kills, and by what it judges.

    thresholds   kill every feature of a frequency above this, one point of the study for each
    metric       what is compared at the same L0
    score        tokens, batches and seed; half of the documents choose, the other half judges
    """

    thresholds: tuple[float, ...] = (0.5, 0.2, 0.1, 0.05, 0.02)
    metric: Literal["loss_recovered_zero", "loss_recovered_mean"] = "loss_recovered_zero"
    score: ScoreConfig = field(default_factory=lambda: ScoreConfig(max_tokens=16_384))

    def __post_init__(self) -> None:
        require(len(self.thresholds) > 0, "thresholds is empty: give at least one, such as 0.038")
        require(len(set(self.thresholds)) == len(self.thresholds), f"thresholds {self.thresholds} repeats a value")
        for threshold in self.thresholds:
            require_range("threshold", threshold, 0, math.nextafter(1, 0))
