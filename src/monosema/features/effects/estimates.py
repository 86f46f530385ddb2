"""The mean effect of a feature per token, with its standard error, from all contexts or from some.

    contexts in which f fires    drawn with probability pi proportional to sum A, at most 1
    sum of document d            y_d = sum over drawn contexts of (effect on d's tokens) / pi     Horvitz-Thompson
    importance                   I = sum_d y_d / N
    standard error               sqrt(D / (D - 1) * sum_d (y_d - I n_d)^2) / N                   over documents

What is drawn are contexts, not whole documents, because a context is what a pass costs and what a
feature acts in; documents are the units of the standard error, which holds the variation between
documents and, since y_d varies with the draw, that of the sampling (Cochran 1977, sections 6.5 and
9A.6). Draws are systematic: of fixed size, unbiased over the random start.
"""

import numpy as np
from jaxtyping import Float64, Int

Array = np.ndarray


def inclusion(sizes: Float64[Array, "context"], n: int) -> Float64[Array, "context"]:
    """The probability of each context to be among n drawn: proportional to its size, 1 where that is too much."""
    chances = np.ones(len(sizes))
    if len(sizes) <= n:
        return chances
    certain = np.zeros(len(sizes), dtype=bool)
    while True:
        left = n - int(certain.sum())
        chances[~certain] = left * sizes[~certain] / sizes[~certain].sum()
        above = (chances >= 1) & ~certain
        if not above.any():
            break
        certain |= above
        chances[certain] = 1.0
    return chances


def systematic(chances: Float64[Array, "context"], start: float) -> Int[Array, "drawn"]:
    """The contexts drawn: those in whose stretch of the summed chances a point start, start + 1, ... falls.

    `start` in [0, 1) is uniform. A context of chance 1 is always drawn, and none twice.
    """
    edges = np.concatenate([[0.0], chances.cumsum()])
    edges[-1] = round(edges[-1]) if abs(edges[-1] - round(edges[-1])) < 1e-9 else edges[-1]
    points = np.ceil(edges - start)
    return (points[1:] > points[:-1]).nonzero()[0]


def mean_and_error(
    sums: Float64[Array, "feature document"], n_tokens: Int[Array, "document"]
) -> tuple[Float64[Array, "feature"], Float64[Array, "feature"]]:
    """The mean effect per token of each feature and its standard error over documents; not a number for
    the error of fewer than two documents."""
    n, n_documents = float(n_tokens.sum()), len(n_tokens)
    mean = sums.sum(1) / max(n, 1.0)
    if n_documents < 2 or n == 0:
        return mean, np.full(len(sums), np.nan)
    squares = np.square(sums - mean[:, None] * n_tokens).sum(1)
    return mean, np.sqrt(squares * n_documents / (n_documents - 1)) / n


def sparse_mean_and_error(
    feature: Int[Array, "entry"],
    document: Int[Array, "entry"],
    sums: Float64[Array, "entry"],
    n_features: int,
    n_tokens: Int[Array, "document"],
) -> tuple[Float64[Array, "feature"], Float64[Array, "feature"]]:
    """The same from the sums of those documents in which a feature fires, one entry each."""
    n, n_documents = float(n_tokens.sum()), len(n_tokens)
    mean = np.bincount(feature, sums, minlength=n_features) / max(n, 1.0)
    if n_documents < 2 or n == 0:
        return mean, np.full(n_features, np.nan)
    squares = np.bincount(feature, np.square(sums), minlength=n_features)
    products = np.bincount(feature, sums * n_tokens[document], minlength=n_features)
    around = squares - 2 * mean * products + np.square(mean) * float(np.square(n_tokens.astype(np.float64)).sum())
    return mean, np.sqrt(np.maximum(around, 0.0) * n_documents / (n_documents - 1)) / n
