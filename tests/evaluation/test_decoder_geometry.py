"""Cosines between decoder rows."""

import math

import pytest
import torch

from monosema.evaluation import decoder as geometry
from monosema.evaluation import score_codes


def test_nearest_cosines_by_hand():
    # Angles 0, 60 and 180 degrees, lengths 1, 2, 3, and a row that is pruned away.
    rows = torch.tensor([[1.0, 0.0], [1.0, math.sqrt(3)], [-3.0, 0.0], [0.0, 0.0]])
    assert geometry.nearest_cosines(rows).tolist() == pytest.approx([0.5, 0.5, -0.5])


def test_nearest_cosines_do_not_depend_on_chunks(monkeypatch):
    rows = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    whole = geometry.nearest_cosines(rows)
    monkeypatch.setattr(geometry, "ROWS_AT_ONCE", 7)
    assert torch.allclose(geometry.nearest_cosines(rows), whole, atol=1e-6)
    assert whole.max() < 0.999


def test_a_doubled_feature_shows_in_every_summary(toy):
    x, f = torch.zeros(1, 4), torch.zeros(1, 4)
    orthogonal = score_codes(toy.batches(x, x, codes=f, decoder=torch.eye(4)))
    doubled = score_codes(toy.batches(x, x, codes=f, decoder=torch.eye(4)[[0, 0, 1, 2]]))
    assert orthogonal["decoder_cosine_mean"].value == 0.0
    assert doubled["decoder_cosine_mean"].value == pytest.approx(0.5)
    assert doubled["decoder_cosine_median"].value == pytest.approx(0.5)
    assert doubled["decoder_cosine_p95"].value == pytest.approx(1.0)
    assert doubled["decoder_cosine_mean"].n == 4


def test_one_feature_has_no_nearest(toy):
    one = score_codes(toy.batches(torch.zeros(1, 2), torch.zeros(1, 2), codes=torch.zeros(1, 1)))
    assert math.isnan(one["decoder_cosine_mean"].value)
