"""Findings over seeds and over cases: a mean with Student's t, a share with Wilson's interval."""

import math
from collections.abc import Sequence
from statistics import mean, stdev

from scipy.stats import binomtest

from monosema.core.findings import Finding
from monosema.evaluation.stability import students_t


def over_seeds(
    name: str, values: Sequence[float], control: float | None, control_is: str, unit: str = "seeds"
) -> Finding:
    """The mean of one value a seed, with the 95% interval of Student's t; of a single seed there is none."""
    middle, n = mean(values), len(values)
    half = students_t(n - 1) * stdev(values) / math.sqrt(n) if n > 1 else math.nan
    return Finding(name, float(middle), control, control_is, middle - half, middle + half, n, unit)


def share(name: str, hits: int, n: int, control: float | None, control_is: str, unit: str = "cases") -> Finding:
    """hits / n with the 95% interval of Wilson (1927), which stays within [0, 1] and is not empty at its ends."""
    p, interval = hits / n, binomtest(hits, n).proportion_ci(method="wilson")
    return Finding(name, p, control, control_is, min(p, interval.low), max(p, interval.high), n, unit)
