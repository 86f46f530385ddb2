"""How strong an activation is for its feature, from the feature's histogram in a table."""

import math

from monosema.features.browse.rows import Histogram


def quantile(histogram: Histogram | None, act: float) -> float | None:
    """The share of the feature's firings that are weaker than `act`; None where nothing is counted.

    Within a bin, firings are taken to be even in the logarithm.
    """
    if histogram is None or not sum(histogram.counts) or not 0 < histogram.low <= histogram.high:
        return None
    if act <= histogram.low:
        return 0.0
    if act >= histogram.high:
        return 1.0
    n_bins = len(histogram.counts)
    where = math.log(act / histogram.low) / math.log(histogram.high / histogram.low) * n_bins
    i = min(n_bins - 1, int(where))
    return (sum(histogram.counts[:i]) + (where - i) * histogram.counts[i]) / sum(histogram.counts)
