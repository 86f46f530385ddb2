"""Mean squared error, variance explained and cosine, on corners of a rectangle."""

import math

import pytest
import torch

from monosema.evaluation import score_codes
from monosema.evaluation.metrics import METRICS

# Corners of a 2 x 4 rectangle: mean (2, 2), variance 1 + 4 = 5.
Y = torch.tensor([[1.0, 0.0], [3.0, 0.0], [1.0, 4.0], [3.0, 4.0]])


def test_a_constant_offset_counts_as_error(toy):
    # Off by (0, 1) everywhere: squared error 1 a token, so 1 - 1/5. Half of that a coordinate.
    scores = score_codes(toy.batches(Y, Y + torch.tensor([0.0, 1.0])))
    assert scores["variance_explained"].value == pytest.approx(0.8, abs=1e-15)
    assert scores["mse"].value == 0.5


def test_writing_the_mean_explains_nothing_and_zero_explains_less(toy):
    assert score_codes(toy.batches(Y, torch.full_like(Y, 2.0)))["variance_explained"].value == 0.0
    # sum |x|^2 = 1 + 9 + 17 + 25 = 52 over sum |x - mean|^2 = 20.
    zero = score_codes(toy.batches(Y, torch.zeros_like(Y)))
    assert zero["variance_explained"].value == pytest.approx(1 - 52 / 20)
    assert zero["mse"].value == 52 / 8


def test_exact_reconstruction_is_one(toy):
    scores = score_codes(toy.batches(Y, Y))
    assert (scores["variance_explained"].value, scores["mse"].value) == (1.0, 0.0)
    assert scores["cosine"].value == pytest.approx(1.0)


def test_targets_that_do_not_vary_have_no_variance_explained(toy):
    same = torch.ones(3, 2)
    assert math.isnan(score_codes(toy.batches(same, same))["variance_explained"].value)


def test_cosine_ignores_length_and_counts_zero_vectors_as_zero(toy):
    x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    y = torch.tensor([[5.0, 0.0], [-2.0, 0.0], [1.0, 1.0], [1.0, 0.0]])
    assert score_codes(toy.batches(x, y))["cosine"].value == pytest.approx((1 - 1 + math.sqrt(0.5) + 0) / 4)


def test_variance_explained_keeps_its_digits_far_from_zero(toy):
    # The mean is 1e7 deviations long; a sum of squares in float64 would keep two digits.
    torch.manual_seed(0)
    near, documents = torch.randn(50, 3).double(), torch.arange(50) // 9
    far = near + 1e7
    error = 0.3 * torch.randn(50, 3)
    near_value, far_value = (
        score_codes(toy.batches(x, x + error, (7, 43), documents))["variance_explained"].value for x in (near, far)
    )
    assert far_value == pytest.approx(near_value, abs=1e-7)


def test_variance_explained_of_a_resample_is_that_of_its_rows(toy):
    # A resample of documents {2, 2, 0} is the data with document 2 twice and document 1 gone,
    # whose total variance is about its own mean.
    torch.manual_seed(0)
    x, documents = torch.randn(9, 3).double() + 5, torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2])
    y = x + 0.3 * torch.randn(9, 3)
    metric = METRICS["variance_explained"]()
    for batch in toy.batches(x, y, (4, 5), documents):
        metric.update(batch)
    terms = metric.result()
    rows = torch.cat([torch.where(documents == d)[0] for d in (2, 2, 0)])
    direct = 1 - (x - y)[rows].square().sum() / (x[rows] - x[rows].mean(0)).square().sum()
    assert float(terms.formula(terms.sums[[2, 2, 0]].sum(0))) == pytest.approx(float(direct), abs=1e-12)


def test_the_interval_is_over_documents_not_tokens(toy):
    # Two kinds of document, error 0 or 2 on all of its 100 tokens: 40 independent draws, not 4,000.
    errors = torch.tensor([0.0, 2.0]).repeat(20).repeat_interleave(100)
    documents = torch.arange(40).repeat_interleave(100)
    x = torch.randn(4000, 1, generator=torch.Generator().manual_seed(0))
    mse = score_codes(toy.batches(x, x + errors.sqrt().unsqueeze(1), documents=documents))["mse"]
    assert mse.value == pytest.approx(1.0, abs=1e-5)
    assert (mse.n, mse.unit) == (40, "documents")
    # The standard error is 1 / sqrt(40) = 0.158; over tokens it would be 0.016.
    assert mse.high - mse.low == pytest.approx(2 * 1.96 * 0.158, rel=0.15)
