"""Are the features found again? Decoder rows of one dictionary against those of another seed's.

    cosines      cos(W_dec_i, W_dec'_j) of every pair
    nearest      for each feature i the largest of them, whatever others take
    matched      the cosine of i's partner in the one-to-one assignment of the largest summed cosine (Kuhn 1955)

    mean_max_cosine   mean over features of `nearest`             mean_matched_cosine   mean over features of `matched`
    found_7, found_9  share of features whose partner has a cosine of at least .7, of at least .9

One to one, because many features may share one neighbour, and would all count as found. Features with a
decoder row of zero (pruned ones) take no part; a feature left without a partner, where the other
dictionary has fewer, counts with 0. The sign counts: a feature that points the other way is another feature.

Above EXACT features on either side the assignment is greedy instead: of each feature's CANDIDATES nearest,
pairs are taken from the largest cosine down, each feature once, and none below FLOOR. Memory is then
n * CANDIDATES numbers instead of n * n, and the summed cosine is at least half of the best.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from monosema.core.findings import Finding, bootstrap
from monosema.core.seeding import generator
from monosema.evaluation.documents import Estimate

EXACT = 8192
CANDIDATES = 16
FLOOR = 0.5
ROWS_AT_ONCE = 1024

RANDOM = "as many random directions"

MEASURES = {
    "mean_max_cosine": "mean over features of max_j cos(W_dec_i, W_dec'_j)",
    "mean_matched_cosine": "mean over features of the cosine to the partner of a one-to-one assignment",
    "found_7": "share of features whose partner of another seed has a cosine of at least .7",
    "found_9": "share of features whose partner of another seed has a cosine of at least .9",
}


@dataclass(frozen=True)
class Found:
    """The features of one dictionary in another: cosines to the nearest and to the partner."""

    nearest: Float[Tensor, "feature"]
    matched: Float[Tensor, "feature"]

    def shares(self) -> Float64[Tensor, "feature 4"]:
        """What each feature adds to each of MEASURES."""
        at_least = [(self.matched >= limit).double() for limit in (0.7, 0.9)]
        return torch.stack([self.nearest.double(), self.matched.double(), *at_least], dim=1)

    def values(self) -> dict[str, float]:
        """Each of MEASURES."""
        return dict(zip(MEASURES, self.shares().mean(0).tolist(), strict=True))


def find_again(
    decoder: Float[Tensor, "feature d_out"], other: Float[Tensor, "other_feature d_out"], exact: int = EXACT
) -> Found:
    """The features of `decoder` in `other`; rows of zero take no part."""
    rows, others = (_unit(w) for w in (decoder, other))
    if max(len(rows), len(others)) > exact:
        return _greedily(rows, others)
    from scipy.optimize import linear_sum_assignment

    matched = torch.zeros(len(rows))
    if not len(rows) or not len(others):
        return Found(torch.zeros(len(rows)), matched)
    cosines = rows @ others.T
    i, j = linear_sum_assignment(cosines.double().numpy(), maximize=True)
    matched[torch.from_numpy(i)] = cosines[torch.from_numpy(i), torch.from_numpy(j)]
    return Found(cosines.amax(1), matched)


def random_directions(n: int, d: int, seed: int, which: int) -> Float[Tensor, "n d"]:
    """Directions drawn uniformly: the control that has no data at all."""
    return torch.randn(n, d, generator=generator(seed, "random directions", which))


def over_seeds(pairs: Sequence[Found], seed: int = 0) -> dict[str, Estimate]:
    """Each of MEASURES over the pairs of one dictionary with some other seeds'.

    Of two pairs or more: the mean, with the 95% interval of Student's t over the pairs, cut to the range
    that a value can have. Of a single pair: the interval over its features (bootstrap), since nothing
    says how much another seed would differ.
    """
    if len(pairs) == 1:
        return _over_features(pairs[0], seed)
    values = np.array([list(pair.values().values()) for pair in pairs])
    mean = values.mean(0)
    half = students_t(len(pairs) - 1) * values.std(0, ddof=1) / math.sqrt(len(pairs))
    found = {}
    for name, m, h in zip(MEASURES, mean.tolist(), half.tolist(), strict=True):
        lowest = 0.0 if name.startswith("found") else -1.0
        found[name] = Estimate(m, max(lowest, m - h), min(1.0, m + h), len(pairs), "pairs of seeds")
    return found


def _over_features(pair: Found, seed: int) -> dict[str, Estimate]:
    shares, found = pair.shares(), {}
    for i, name in enumerate(MEASURES):
        terms = torch.stack([shares[:, i], torch.ones(len(shares), dtype=torch.float64)], dim=1)
        ends = bootstrap(terms, lambda s: s[..., 0] / s[..., 1], generator(seed, "stability", name))
        found[name] = Estimate(*ends, len(shares), "features")
    return found


def students_t(freedom: int) -> float:
    """The 97.5% point of Student's t."""
    from scipy.stats import t

    return float(t.ppf(0.975, freedom))


def stability(
    decoder: Float[Tensor, "feature d_out"],
    others: Mapping[str, Float[Tensor, "other_feature d_out"]],
    seed: int = 0,
) -> dict[str, Finding]:
    """Each of MEASURES for `decoder` against `others` (two folders' decoders are enough), by name.

    The control is as many random directions, matched with the same others.
    """
    pairs = [find_again(decoder, other) for other in others.values()]
    n, d = _kept(decoder).shape
    drawn = random_directions(n, d, seed, 0)
    controls = over_seeds([find_again(drawn, other) for other in others.values()], seed)
    return {
        name: Finding(name, e.value, controls[name].value, RANDOM, e.low, e.high, e.n, e.unit)
        for name, e in over_seeds(pairs, seed).items()
    }


def _kept(decoder: Float[Tensor, "feature d_out"]) -> Float[Tensor, "kept d_out"]:
    rows = decoder.detach().float().cpu()
    return rows[rows.norm(dim=1) > 0]


def _unit(decoder: Float[Tensor, "feature d_out"]) -> Float[Tensor, "kept d_out"]:
    return torch.nn.functional.normalize(_kept(decoder), dim=1)


def _greedily(rows: Float[Tensor, "feature d_out"], others: Float[Tensor, "other_feature d_out"]) -> Found:
    """Pairs from the largest cosine down."""
    nearest, candidates = torch.zeros(len(rows)), []
    k = min(CANDIDATES, len(others))
    for start in range(0, len(rows) if k else 0, ROWS_AT_ONCE):
        values, columns = (rows[start : start + ROWS_AT_ONCE] @ others.T).topk(k, dim=1)
        nearest[start : start + len(values)] = values[:, 0]
        at, rank = (values >= FLOOR).nonzero(as_tuple=True)
        candidates.append((at + start, columns[at, rank], values[at, rank]))
    matched = torch.zeros(len(rows))
    if candidates:
        i, j, cosines = (torch.cat(part) for part in zip(*candidates, strict=True))
        matched = _taken(i, j, cosines, len(rows), len(others))
    return Found(nearest, matched)


def _taken(
    i: Int64[Tensor, "pair"], j: Int64[Tensor, "pair"], cosines: Float[Tensor, "pair"], n: int, n_others: int
) -> Float[Tensor, "feature"]:
    matched = torch.zeros(n)
    free, free_there = [True] * n, [True] * n_others
    order = cosines.argsort(descending=True, stable=True)
    for a, b, cosine in zip(i[order].tolist(), j[order].tolist(), cosines[order].tolist(), strict=True):
        if free[a] and free_there[b]:
            free[a] = free_there[b] = False
            matched[a] = cosine
    return matched
