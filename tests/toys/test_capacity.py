"""Measures of superposition against answers known beforehand (T1-T8 of the definitions)."""

import math

import pytest
import torch
from torch import Tensor

from monosema.toys.capacity import (
    dimensionality,
    dimensions_per_feature,
    effective_features,
    features_per_dimension,
    leverage,
    rank,
    represented,
)
from monosema.toys.polytopes import antiprism, polygon, simplex
from monosema.toys.readings import read, rescaled

RANDOM = torch.Generator().manual_seed(0)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=RANDOM)


def orthogonal(m: int) -> Tensor:
    return torch.linalg.qr(drawn(m, m)).Q


def blocks(*parts: Tensor) -> Tensor:
    return torch.block_diag(*parts)


def test_dimensionality_lies_between_0_and_1():
    D = dimensionality(drawn(50, 3, 8))
    assert D.shape == (50, 8)
    assert bool((D >= 0).all()) and bool((D <= 1).all())


def test_a_scale_changes_the_frobenius_measure_and_nothing_else():
    W = drawn(20, 3, 7)
    assert torch.allclose(dimensionality(3 * W), dimensionality(W))
    assert torch.allclose(effective_features(3 * W), effective_features(W))
    assert torch.equal(represented(3 * W), represented(W))
    assert torch.allclose(features_per_dimension(3 * W), 9 * features_per_dimension(W))
    assert torch.allclose(dimensions_per_feature(3 * W), dimensions_per_feature(W) / 9)


def test_dimensionality_survives_scales_at_which_squares_would_not():
    W = drawn(2, 5)
    for scale in (1e-120, 1e120):
        assert torch.allclose(dimensionality(scale * W), dimensionality(W))


def test_a_rotation_changes_nothing():
    W = drawn(4, 9)
    assert torch.allclose(dimensionality(orthogonal(4) @ W), dimensionality(W))


def test_leverage_bounds_dimensionality_and_sums_to_the_rank():
    W = drawn(30, 4, 9)
    assert bool((dimensionality(W) <= leverage(W) + 1e-12).all())
    assert torch.allclose(leverage(W).sum(-1), torch.full((30,), 4.0, dtype=torch.float64))
    assert bool((dimensionality(W).sum(-1) < 4 - 1e-3).all())  # no column is an eigenvector of W W^T
    flat = W.clone()
    flat[:, 3] = flat[:, 0] + flat[:, 1]
    assert rank(flat).tolist() == [3] * 30
    assert bool((dimensionality(flat).sum(-1) <= 3 + 1e-9).all())
    assert torch.allclose(leverage(flat).sum(-1), torch.full((30,), 3.0, dtype=torch.float64))


def test_they_are_equal_when_every_direction_is_an_eigenvector():
    # Rows of length 2 and 1 along two axes: W W^T is diagonal and each column lies on one axis.
    W = torch.tensor([[2.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 3.0]], dtype=torch.float64)
    assert torch.allclose(dimensionality(W), leverage(W))
    assert dimensionality(W).tolist() == pytest.approx([0.8, 0.2, 0.1, 0.9])


@pytest.mark.parametrize("m, n", [(2, 5), (3, 7), (5, 12)])
def test_a_unit_norm_tight_frame_gives_each_m_over_n(m: int, n: int):
    # Rows of the real Fourier basis of n points: every column has the same norm, the rows are orthonormal up to it.
    t = torch.arange(n, dtype=torch.float64) * 2 * math.pi / n
    waves = [wave(k * t) for k in range(1, m // 2 + 1) for wave in (torch.cos, torch.sin)]
    rows = waves if m % 2 == 0 else [torch.full((n,), math.sqrt(0.5), dtype=torch.float64), *waves]
    W = torch.nn.functional.normalize(torch.stack(rows), dim=0)
    assert dimensionality(W).tolist() == pytest.approx([m / n] * n)


def test_orthogonal_sums_are_measured_part_by_part():
    a, b = drawn(2, 5), drawn(3, 4)
    both = dimensionality(blocks(a, b))
    assert torch.allclose(both, torch.cat([dimensionality(a), dimensionality(b)]))


@pytest.mark.parametrize("k", [1, 2, 7])
def test_parallel_copies_share_one_dimension(k: int):
    assert dimensionality(torch.ones(1, k)).tolist() == pytest.approx([1 / k] * k)


@pytest.mark.parametrize(
    "vertices, expected",
    [
        (torch.eye(3), [1.0] * 3),
        (torch.tensor([[1.0], [-1.0]]), [1 / 2] * 2),
        (polygon(3), [2 / 3] * 3),
        (polygon(4), [1 / 2] * 4),
        (polygon(5), [2 / 5] * 5),
        (polygon(6), [1 / 3] * 6),
        (simplex(3), [3 / 4] * 4),
        (torch.cat([torch.eye(3), -torch.eye(3)]), [1 / 2] * 6),
        (blocks(polygon(3), torch.tensor([[1.0], [-1.0]], dtype=torch.float64)), [2 / 3] * 3 + [1 / 2] * 2),
        (simplex(4), [4 / 5] * 5),
        (antiprism(math.sqrt(1 / 3)), [3 / 8] * 8),
    ],
    ids=[
        "orthogonal",
        "digon",
        "triangle",
        "square",
        "pentagon",
        "hexagon",
        "tetrahedron",
        "octahedron",
        "bipyramid",
        "4-simplex",
        "antiprism",
    ],
)
def test_the_table_of_polytopes(vertices: Tensor, expected: list[float]):
    assert dimensionality(vertices.T).tolist() == pytest.approx(expected)


def test_another_antiprism_has_less_than_its_share():
    assert float(dimensionality(antiprism(0.4).T).max()) < 3 / 8 - 1e-3


def test_a_single_feature_keeps_its_axes():
    W = torch.tensor([[[3.0], [4.0]], [[0.0], [0.0]]])  # two instances, m = 2, n = 1
    assert dimensionality(W).tolist() == [[1.0], [0.0]]
    assert leverage(W).tolist() == [[pytest.approx(1.0)], [0.0]]
    assert represented(W).tolist() == [[True], [False]]
    assert features_per_dimension(W).tolist() == [12.5, 0.0]


def test_a_feature_without_a_direction_has_no_dimension():
    W = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    assert dimensionality(W).tolist() == [0.5, 0.0, 0.5]


def test_effective_features_count_equal_norms_only():
    assert float(effective_features(polygon(5).T)) == pytest.approx(5)
    W = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert float(effective_features(W)) == pytest.approx(2)
    assert float(effective_features(W * torch.tensor([1.0, 0.5, 0.0]))) == pytest.approx(25 / 17)


def test_a_stretched_pentagon_fools_the_frobenius_measure_and_no_other():
    reading = read(1.18 * polygon(5).T)
    assert reading.frobenius == pytest.approx(1.18**2 * 5 / 2)
    assert (reading.counted, reading.effective, reading.per_feature) == pytest.approx((2.5, 2.5, 2.5))
    assert not reading.frobenius_holds and reading.norms_are_equal and reading.is_tight
    assert "does not hold" in reading.trust()[0] and "3.48" in reading.trust()[0]
    assert read(polygon(5).T).frobenius_holds


def test_no_measure_is_trusted_for_what_it_cannot_say():
    reading = read(torch.tensor([[1.0, 0.6, 0.0], [0.0, 0.0, 1.0]]))
    assert not reading.norms_are_equal and not reading.frobenius_holds
    assert read(torch.tensor([[1.0, 0.8], [0.0, 0.6]])).is_tight is False
    assert read(torch.zeros(2, 3)).n_represented == 0


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("factor", [0.01, 7.0])
def test_scaling_a_layer_of_a_relu_network_changes_no_answer_but_the_frobenius_count(layer: int, factor: float):
    weights = (drawn(16, 8), drawn(16, 16), drawn(5, 16))
    found = rescaled(weights, drawn(400, 8), layer, factor)
    assert found.answers == 0.0
    assert found.dimensionality < 1e-12
    assert found.frobenius == pytest.approx(factor**2)


def test_another_sign_does_change_answers():
    found = rescaled((drawn(16, 8), drawn(5, 16)), drawn(400, 8), 0, -1.0)
    assert found.answers > 0.3
