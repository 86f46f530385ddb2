"""The value of capacity against losses that are known functions of it, and against small moves."""

import pytest
import torch

from monosema.toys.capacity import dimensionality
from monosema.toys.marginal import capacity_moves, jacobian, marginal_value
from monosema.toys.polytopes import polygon

DRAWN = torch.Generator().manual_seed(1)


def test_a_move_gives_one_feature_capacity_and_leaves_the_others():
    # One long feature and two short ones in 2 dimensions, far from a tight frame: every capacity can change alone.
    W = torch.tensor([[1.0, 0.3, 0.1], [0.0, 0.9, -0.2]], dtype=torch.float64)
    step = 1e-6
    for i, move in enumerate(capacity_moves(W)):
        change = (dimensionality(W + step * move) - dimensionality(W)) / step
        assert change.tolist() == pytest.approx([float(i == j) for j in range(3)], abs=1e-4)


def test_the_value_is_the_slope_of_a_loss_that_is_linear_in_capacity():
    W = torch.randn(2, 3, dtype=torch.float64, generator=DRAWN)
    v = torch.tensor([3.0, -1.0, 0.5], dtype=torch.float64)
    gradient = -(v[:, None, None] * jacobian(W)).sum(0)
    assert marginal_value(W, gradient).tolist() == pytest.approx((-v).tolist())


def test_where_all_dimensions_are_full_only_differences_are_seen():
    # In a pentagon the capacities' sum cannot grow: of any values, what is left is their difference to the mean.
    W = polygon(5).T.clone()
    v = torch.tensor([4.0, 3.0, 2.0, 1.0, 0.0], dtype=torch.float64)
    gradient = -(v[:, None, None] * jacobian(W)).sum(0)
    assert marginal_value(W, gradient).tolist() == pytest.approx([-2.0, -1.0, 0.0, 1.0, 2.0], abs=1e-9)


def test_scaling_moves_no_capacity():
    W = torch.randn(2, 4, dtype=torch.float64, generator=DRAWN)
    assert marginal_value(W, W).abs().max() < 1e-9
