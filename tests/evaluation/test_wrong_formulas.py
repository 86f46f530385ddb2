"""The wrong formulas in use, each written out, and each caught.

Every case is exact. Ours gives the right number; the wrong formula gives another; and the very
assertion that holds for ours fails when the wrong formula takes its place in the table of metrics.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from monosema.evaluation import score_codes
from monosema.evaluation.documents import Exact
from monosema.evaluation.metric import Metric
from monosema.evaluation.metrics import METRICS

Parts = list[tuple[Tensor, Tensor]]

# Corners of a 2 x 4 rectangle: mean (2, 2), variance 1 + 4 = 5, mean square 5 + 8 = 13.
X = torch.tensor([[1.0, 0.0], [3.0, 0.0], [1.0, 4.0], [3.0, 4.0]])
OFFSET = X + torch.tensor([0.0, 1.0])
ONE_ROW_OFF = X + torch.tensor([[0.0, 2.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])


def about_zero(parts: Parts) -> float:
    """The total is the sum of squares, not the variance."""
    x, y = joined(parts)
    return 1 - float((x - y).square().sum() / x.square().sum())


def mean_squared_twice(parts: Parts) -> float:
    """The variance is written E[x^2] - (mean^2)^2."""
    x, y = joined(parts)
    return 1 - float((x - y).square().sum(1).mean() / (x.square().mean(0) - x.mean(0).square().square()).sum())


def residual_centred(parts: Parts) -> float:
    """The residual's variance takes the place of its sum of squares: a constant offset is free."""
    x, y = joined(parts)
    return 1 - float((x - y).var(0, correction=0).sum() / x.var(0, correction=0).sum())


def batch_ratios_averaged(parts: Parts) -> float:
    """One ratio a batch, about the batch's own mean, then the mean of the ratios."""
    ratios = [1 - (x - y).square().sum() / (x - x.mean(0)).square().sum() for x, y in parts]
    return float(torch.stack(ratios).mean())


def batch_means_averaged(parts: Parts) -> float:
    """Each batch's error over its own token count, then the mean over batches of unequal size."""
    return float(torch.stack([(x - y).square().mean() for x, y in parts]).mean())


def divided_by_tokens_twice(parts: Parts) -> float:
    """What is a mean already is divided by the batch's token count once more."""
    return float(torch.stack([(x - y).square().mean() / len(x) for x, y in parts]).sum())


def joined(parts: Parts) -> tuple[Tensor, Tensor]:
    return torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts])


@dataclass(frozen=True)
class Case:
    """X against `y`, in batches of `splits` rows."""

    metric: str
    wrong: Callable[[Parts], float]
    y: Tensor
    splits: tuple[int, ...]
    right_value: float
    wrong_value: float


CASES = [
    Case("variance_explained", about_zero, OFFSET, (4,), 1 - 1 / 5, 1 - 1 / 13),
    Case("variance_explained", mean_squared_twice, OFFSET, (4,), 1 - 1 / 5, 1 - 1 / (13 - 32)),
    Case("variance_explained", residual_centred, OFFSET, (4,), 1 - 1 / 5, 1.0),
    Case("variance_explained", batch_ratios_averaged, OFFSET, (2, 2), 1 - 1 / 5, 0.0),
    Case("mse", batch_means_averaged, ONE_ROW_OFF, (1, 3), 4 / (4 * 2), 1.0),
    Case("mse", divided_by_tokens_twice, OFFSET, (1, 3), 1 / 2, 1 / 2 + 1 / 6),
]
each_case = pytest.mark.parametrize("case", CASES, ids=[case.wrong.__name__ for case in CASES])


def assert_right(case: Case, batches) -> None:
    """The assertion of this file: what ours passes, and what a wrong formula must not."""
    assert score_codes(batches)[case.metric].value == pytest.approx(case.right_value, abs=1e-12)


def mutant(case: Case) -> type[Metric]:
    """The metric of `case`, ours in everything but the formula."""

    class Wrong(METRICS[case.metric]):
        def __init__(self) -> None:
            self.parts: Parts = []

        def update(self, batch) -> None:
            self.parts.append((batch.target, batch.reconstruction))

        def result(self) -> Exact:
            return Exact(case.wrong(self.parts), 1, "tokens")

    return Wrong


@each_case
def test_ours_is_right(toy, case):
    assert_right(case, toy.batches(X, case.y, case.splits))


@each_case
def test_the_wrong_formula_gives_another_number(case):
    parts = list(zip(X.split(list(case.splits)), case.y.split(list(case.splits)), strict=True))
    assert case.wrong(parts) == pytest.approx(case.wrong_value)
    assert abs(case.wrong_value - case.right_value) > 0.1


@each_case
def test_the_wrong_formula_in_place_of_ours_is_caught(toy, monkeypatch, case):
    monkeypatch.setitem(METRICS, case.metric, mutant(case))
    with pytest.raises(AssertionError):
        assert_right(case, toy.batches(X, case.y, case.splits))
