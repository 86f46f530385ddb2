"""A matrix in its principal axes: centred, whitened, made anew, and the same however it was turned."""

import pytest
import torch
from torch import Tensor

from monosema.core.errors import DataError
from monosema.core.seeding import generator
from monosema.geometry import centred, gaussian_like, principal, whitened
from monosema.geometry.axes import dimension, mean_cosine, redrawn

from .test_variances import turned


def skewed(n: int = 500, d: int = 12) -> Tensor:
    """Rows of falling variance, with a mean, skewed along every axis."""
    draws = torch.rand(n, d, generator=generator(0, "skewed"), dtype=torch.float64)
    return draws.pow(3) * torch.linspace(4, 1, d, dtype=torch.float64) + 2.0


def covariance(rows: Tensor) -> Tensor:
    return torch.cov(rows.T, correction=0)


def test_centring_takes_the_mean_off_and_leaves_the_variances():
    rows = skewed()
    found = principal(rows)
    assert float(centred(found).mean(0).abs().max()) < 1e-12
    assert torch.allclose(covariance(centred(found)), torch.diag(found.variances), atol=1e-10)
    assert torch.allclose(found.coordinates @ found.axes.T, rows, atol=1e-12)


def test_whitening_gives_covariance_one():
    rows = skewed()
    eye = torch.eye(12, dtype=torch.float64)
    assert torch.allclose(covariance(whitened(principal(rows))), eye, atol=1e-10)
    assert not torch.allclose(covariance(rows), eye, atol=0.1)


def test_axes_without_variance_stay_at_zero():
    rows = torch.cat([skewed(d=5), torch.full((500, 2), 3.0, dtype=torch.float64)], 1)
    found = principal(rows)
    assert found.rank == 5
    expected = torch.diag(torch.tensor([1.0] * 5 + [0.0] * 2, dtype=torch.float64))
    assert torch.allclose(covariance(whitened(found)), expected, atol=1e-10)


def test_turned_rows_have_the_same_coordinates():
    rows = skewed()
    one, other = principal(rows), principal(rows @ turned(12))
    assert torch.allclose(one.coordinates, other.coordinates, atol=1e-9)
    drawn, again = (gaussian_like(found, generator(1, "g")) for found in (one, other))
    assert torch.allclose(drawn, again, atol=1e-9)


def test_reordered_rows_have_reordered_coordinates():
    rows = skewed()
    order = torch.randperm(500, generator=generator(2, "order"))
    assert torch.allclose(principal(rows[order]).coordinates, principal(rows).coordinates[order], atol=1e-9)


def test_the_dimension_counts_equal_variances():
    # Points at +-1 along three axes of six: three equal variances.
    axes = torch.eye(6, dtype=torch.float64)[:3]
    rows = torch.cat([axes, -axes])
    assert principal(rows).dimension == pytest.approx(3, rel=1e-12)
    assert dimension(rows) == pytest.approx(3, rel=1e-12)
    stretched = rows * torch.tensor([3.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    assert principal(stretched).dimension == pytest.approx(11**2 / 83, rel=1e-12)
    assert dimension(stretched + 5) == pytest.approx(11**2 / 83, rel=1e-12)


def test_gaussian_rows_have_the_mean_and_the_covariance_and_nothing_else():
    found = principal(skewed(n=20_000))
    drawn = gaussian_like(found, generator(3, "g"))
    scale = found.variances.sqrt()
    assert float(((drawn.mean(0) - found.mean) / scale).abs().max()) < 5 / 20_000**0.5
    error = (covariance(drawn) - torch.diag(found.variances)) / (scale[:, None] * scale)
    assert float(error.abs().max()) < 5 * 2**0.5 / 20_000**0.5
    own = (centred(found) / scale).pow(3).mean(0)
    assert float(own.min()) > 0.5 and float(((drawn - found.mean) / scale).pow(3).mean(0).abs().max()) < 0.1


def test_redrawn_rows_keep_the_mean_and_the_deviation_of_the_entries_alone():
    rows = skewed(n=4000)
    drawn = redrawn(rows, generator(4, "r"))
    assert float(drawn.mean()) == pytest.approx(float(rows.mean()), abs=5 * float(rows.std()) / 48_000**0.5)
    assert float(drawn.std()) == pytest.approx(float(rows.std()), rel=0.02)
    assert principal(rows).dimension < 0.8 * principal(drawn).dimension


def test_mean_cosine_by_hand():
    # Cosines of the three pairs: 0, 0, 1; a row of zeros has none.
    rows = torch.tensor([[2.0, 0.0], [0.0, 3.0], [0.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    assert mean_cosine(rows) == pytest.approx(1 / 3, rel=1e-12)


def test_what_has_no_geometry_is_refused():
    with pytest.raises(DataError, match="row 1 of the matrix holds a number that is not finite"):
        principal(torch.tensor([[1.0, 2.0], [1.0, torch.nan], [0.0, 1.0]]))
    with pytest.raises(DataError, match="2 tokens are too few"):
        principal(torch.eye(2))
    with pytest.raises(DataError, match="all rows of the matrix are the same"):
        principal(torch.ones(5, 3))
