"""How scores are computed: sums of what each document brings, so that intervals are over documents.

balanced accuracy   (right of the true / true + right of the false / false) / 2            chance .5
accuracy            right / asked                                                          chance 1 / n
AUC                 share of pairs (true, false) with the larger number at the true, ties a half    .5
correlation         Pearson's, each token weighted by how many its window stands for        0
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.core.findings import bootstrap

Formula = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Tally:
    """What each document brings to a score, and the score of the sums. n counts windows."""

    terms: Float[Tensor, "document term"]
    formula: Formula
    n: int

    @property
    def value(self) -> float | None:
        """The score; None where it is not defined."""
        return _number(float(self.formula(self.terms.sum(0))))


@dataclass(frozen=True)
class Interval:
    """A value with its 95% interval over documents; None where not defined, or with one document."""

    value: float | None
    low: float | None
    high: float | None


def interval(tally: Tally, generator: torch.Generator) -> Interval:
    """The score with its interval."""
    if tally.value is None:
        return Interval(None, None, None)
    value, low, high = bootstrap(tally.terms, tally.formula, generator)
    return Interval(value, _number(low), _number(high))


def margin(one: Tally, other: Tally, generator: torch.Generator) -> Interval:
    """By how much `one` is above `other`, which was made on the same windows in the same order."""
    if one.value is None or other.value is None or len(one.terms) != len(other.terms):
        return Interval(None, None, None)
    n = one.terms.shape[1]
    both = torch.cat([one.terms, other.terms], dim=1)
    return interval(Tally(both, lambda s: one.formula(s[..., :n]) - other.formula(s[..., n:]), one.n), generator)


def balanced_accuracy(
    said: Bool[Tensor, "window"], truth: Bool[Tensor, "window"], documents: Int64[Tensor, "window"]
) -> Tally:
    """Of yes and no answers. Not defined without a true and a false one."""
    columns = [said & truth, truth, ~said & ~truth, ~truth]
    terms = _by_document(torch.stack([c.double() for c in columns], 1), documents)
    return Tally(terms, lambda s: (s[..., 0] / s[..., 1] + s[..., 2] / s[..., 3]) / 2, len(said))


def accuracy(right: Bool[Tensor, "question"], documents: Int64[Tensor, "question"]) -> Tally:
    """Of answers that are right or wrong."""
    terms = _by_document(torch.stack([right.double(), torch.ones(len(right)).double()], 1), documents)
    return Tally(terms, lambda s: s[..., 0] / s[..., 1], len(right))


def auc(numbers: Float[Tensor, "window"], truth: Bool[Tensor, "window"], documents: Int64[Tensor, "window"]) -> Tally:
    """Of numbers that should be larger where it is true."""
    levels, at = numbers.double().unique(return_inverse=True)
    n = len(levels)
    counts = torch.zeros(len(numbers), 2 * n, dtype=torch.float64)
    counts[torch.arange(len(numbers)), at + n * (~truth).long()] = 1.0

    def formula(sums: Tensor) -> Tensor:
        true, false = sums[..., :n], sums[..., n:]
        below = false.cumsum(-1) - false / 2
        return (true * below).sum(-1) / (true.sum(-1) * false.sum(-1))

    return Tally(_by_document(counts, documents), formula, len(numbers))


def correlation(
    predicted: Float[Tensor, "token"],
    actual: Float[Tensor, "token"],
    weights: Float[Tensor, "token"],
    documents: Int64[Tensor, "token"],
    n: int,
) -> Tally:
    """Of numbers said of every token. Not defined where either does not vary."""
    x, y = (z.double() / max(float(z.abs().max()), 1e-300) for z in (predicted, actual))
    w = weights.double()
    # A constant that is not 0 would leave a variance of rounding errors.
    x, y = (z if bool((z != z[0]).any()) else torch.zeros_like(z) for z in (x, y))
    columns = torch.stack([w, w * x, w * y, w * x * x, w * y * y, w * x * y], 1)
    return Tally(_by_document(columns, documents), _pearson, n)


def _pearson(s: Tensor) -> Tensor:
    n, x, y, xx, yy, xy = s.unbind(-1)
    return (n * xy - x * y) / ((n * xx - x * x).clamp(min=0) * (n * yy - y * y).clamp(min=0)).sqrt()


def _by_document(terms: Float[Tensor, "row term"], documents: Int64[Tensor, "row"]) -> Float[Tensor, "document term"]:
    own, at = documents.unique(return_inverse=True)
    return torch.zeros(len(own), terms.shape[1], dtype=torch.float64).index_add_(0, at, terms)


def best_cut(numbers: Float[Tensor, "window"], truth: Bool[Tensor, "window"]) -> float:
    """The threshold t of the best balanced accuracy of "number >= t", the largest of equals: half way between two
    numbers that there are, or minus infinity below all. All true or all false: infinity, which is never reached."""
    if bool(truth.all()) or not bool(truth.any()):
        return torch.inf
    levels, at = numbers.double().unique(return_inverse=True)
    true = torch.bincount(at[truth], minlength=len(levels)).double().flip(0).cumsum(0) / truth.sum()
    false = torch.bincount(at[~truth], minlength=len(levels)).double().flip(0).cumsum(0) / (~truth).sum()
    best = len(levels) - 1 - int((true - false).argmax())
    return float(levels[best - 1 : best + 1].mean()) if best else -torch.inf


def _number(value: float) -> float | None:
    return value if abs(value) < torch.inf else None
