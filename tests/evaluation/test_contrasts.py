"""Differences to a control: exact values, and intervals that move together where they must."""

import math

import numpy as np
import pytest
import torch

from monosema.evaluation.checks import distance_of
from monosema.evaluation.contrasts import matched, mean_over, paired, unpaired, welch
from monosema.evaluation.documents import Exact, Terms


def mean_terms(sums: list[float]) -> Terms:
    """A mean per token over documents of one token each."""
    values = torch.tensor(sums, dtype=torch.float64)
    return Terms(
        torch.arange(len(sums)), torch.stack([values, torch.ones_like(values)], 1), lambda s: s[..., 0] / s[..., 1]
    )


def test_a_shift_of_every_document_has_no_spread_when_paired():
    own = [1.0, 5.0, 9.0, 2.0]
    found = paired("c", mean_terms([x + 0.5 for x in own]), mean_terms(own), 0)
    assert (found.value, found.difference) == (4.25, 0.5)
    assert (found.low, found.high) == (pytest.approx(0.5), pytest.approx(0.5))


def test_a_property_of_these_tokens_has_no_interval():
    found = paired("c", Exact(0.9, 10, "features"), Exact(0.4, 10, "features"), 0)
    assert (found.value, found.difference) == (0.4, 0.5) and math.isnan(found.low) and math.isnan(found.high)


def test_what_is_undefined_on_the_control_stays_so():
    def undefined(sums: torch.Tensor) -> torch.Tensor:
        return sums[..., 0] * torch.nan

    other = Terms(torch.arange(4), torch.ones(4, 1, dtype=torch.float64), undefined)
    found = paired("c", mean_terms([1.0, 2.0, 3.0, 4.0]), other, 0)
    assert math.isnan(found.value) and math.isnan(found.difference) and math.isnan(found.low)


def test_the_same_features_move_together_and_others_do_not():
    values = np.random.default_rng(0).normal(0, 10, 200)
    together, apart = (f("c", values + 1, values, 0) for f in (matched, unpaired))
    assert (together.low, together.high) == (pytest.approx(1), pytest.approx(1))
    # Standard error of the difference of two independent means of 200: sqrt(2) 10 / sqrt(200) = 1.
    assert apart.difference == pytest.approx(1) and 3 < apart.high - apart.low < 5


def test_features_without_a_value_take_no_part():
    own, other = np.array([1.0, np.nan, 3.0]), np.array([1.0, 7.0, 1.0])
    assert matched("c", own, other, 0).difference == 1.0
    assert mean_over(own, 0)[0] == 2.0
    nothing = unpaired("c", np.full(3, np.nan), other, 0)
    assert math.isnan(nothing.difference) and math.isnan(nothing.low)


def test_welch_by_hand():
    # Means 2 and 1, variances 1 and 1, three pairs each: standard error sqrt(2/3), t(2) = 4.302653.
    found = welch("c", [1.0, 2.0, 3.0], [0.0, 1.0, 2.0])
    assert (found.value, found.difference) == (1.0, 1.0)
    assert found.high - found.difference == pytest.approx(4.302653 * math.sqrt(2 / 3), rel=1e-5)
    assert math.isnan(welch("c", [1.0], [0.0, 1.0]).low)


def test_the_distance_of_two_histograms_is_the_shift_between_them():
    edges = (0.0, 1.0, 2.0, 3.0)
    assert distance_of(edges, (4, 0, 0), (4, 0, 0)) == 0.0
    assert distance_of(edges, (4, 0, 0), (0, 0, 2)) == 2.0
    assert distance_of(edges, (2, 2, 0), (0, 1, 1)) == 1.0
    assert math.isnan(distance_of(edges, (0, 0, 0), (1, 0, 0)))
