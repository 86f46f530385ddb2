"""A value less the same on a control, with the 95% interval of the difference.

    paired       two metrics over the same documents: a resample of documents moves both (`comparing.difference`)
    unpaired     means over features of two dictionaries: each is resampled on its own
    matched      means over the same features: a resample of features moves both
    welch        means over pairs of seeds: Student's t with the smaller number of pairs less one (conservative)

Plain values, for pages and verdicts.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float64

from monosema.core.findings import bootstrap
from monosema.core.seeding import generator
from monosema.evaluation.checks import Contrast
from monosema.evaluation.comparing import difference
from monosema.evaluation.documents import Exact, Terms
from monosema.evaluation.stability import students_t

Values = Float64[np.ndarray, "_"]


def paired(control: str, own: Terms | Exact, other: Terms | Exact, seed: int) -> Contrast:
    """Over documents. A property of exactly these tokens (`Exact`) has a difference without an interval."""
    if isinstance(own, Terms) and isinstance(other, Terms):
        beside, found = other.value(), difference({"": own}, {"": other}, "").estimate(seed)
        return Contrast(control, beside, found.value, found.low, found.high)
    value, beside = (part.estimate(seed).value for part in (own, other))
    return Contrast(control, beside, value - beside, math.nan, math.nan)


def unpaired(control: str, own: Values, other: Values, seed: int) -> Contrast:
    """Over features of two dictionaries; what is not a number is left out."""
    own, other = (values[~np.isnan(values)] for values in (own, other))
    if len(own) < 2 or len(other) < 2:
        value, beside = (float(v.mean()) if len(v) else math.nan for v in (own, other))
        return Contrast(control, beside, value - beside, math.nan, math.nan)
    drawn = [_resampled_means(v, generator(seed, "contrast", which)) for which, v in enumerate((own, other))]
    low, high = np.quantile(drawn[0] - drawn[1], [0.025, 0.975]).tolist()
    return Contrast(control, float(other.mean()), float(own.mean() - other.mean()), low, high)


def _resampled_means(values: Values, draws: torch.Generator) -> Values:
    return np.concatenate(
        [values[torch.randint(len(values), (50, len(values)), generator=draws).numpy()].mean(1) for _ in range(20)]
    )


def matched(control: str, own: Values, other: Values, seed: int) -> Contrast:
    """Over the same features, one value of each."""
    both = ~(np.isnan(own) | np.isnan(other))
    own, other = own[both], other[both]
    if not len(own):
        return Contrast(control, math.nan, math.nan, math.nan, math.nan)
    terms = torch.from_numpy(np.stack([own - other, np.ones(len(own))], axis=1))
    value, low, high = bootstrap(terms, lambda s: s[..., 0] / s[..., 1], generator(seed, "contrast"))
    return Contrast(control, float(other.mean()), value, low, high)


def welch(control: str, own: Sequence[float], other: Sequence[float]) -> Contrast:
    """Over pairs of seeds. With a single pair on either side there is no interval."""
    value, beside = float(np.mean(own)), float(np.mean(other))
    fewest = min(len(own), len(other))
    if fewest < 2:
        return Contrast(control, beside, value - beside, math.nan, math.nan)
    error = math.sqrt(sum(float(np.var(v, ddof=1)) / len(v) for v in (own, other)))
    half = students_t(fewest - 1) * error
    return Contrast(control, beside, value - beside, value - beside - half, value - beside + half)


def mean_over(values: Values, seed: int) -> tuple[float, float, float]:
    """(mean, low, high) over features; what is not a number is left out."""
    values = values[~np.isnan(values)]
    if not len(values):
        return math.nan, math.nan, math.nan
    terms = torch.from_numpy(np.stack([values, np.ones(len(values))], axis=1))
    return bootstrap(terms, lambda s: s[..., 0] / s[..., 1], generator(seed, "contrast"))
