"""Rounds that alternate through the contenders, and the statistics of what they measured.

    round 1:  dense, floor, ours, theirs, ...        one computes, the others wait
    round 2:  dense, floor, ours, theirs, ...
    ...

What disturbs the machine for a while disturbs a whole round: so a ratio to the reference is taken
within each round, and the median of these ratios is reported, not the ratio of medians.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Summary:
    """Over the rounds: the median, the lowest and the highest."""

    median: float
    low: float
    high: float


def summary(values: Sequence[float]) -> Summary:
    """Of at least one value. Of an even number of values the median is the mean of the two in the middle."""
    return Summary(median(values), min(values), max(values))


def ratios(speeds: Mapping[str, Sequence[float]], reference: str) -> dict[str, Summary]:
    """Each contender's speed against the reference's speed of the same round."""
    return {
        name: summary([own / base for own, base in zip(values, speeds[reference], strict=True)])
        for name, values in speeds.items()
    }
