"""The phase boundary of two features in one dimension, in theory and trained (T10)."""

import pytest
import torch

from monosema.toys.phase import (
    ANTIPODAL,
    FIRST,
    NOTHING,
    SAME_SIDE,
    SECOND,
    boundary,
    expected_phase,
    phase_diagram,
    phase_of,
)
from monosema.toys.settings import PhaseGridConfig


def values(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def test_the_boundary_is_where_the_two_losses_are_equal():
    r = values(0.1, 0.5, 1.0, 3.0, 10.0)
    p, smaller = boundary(r), torch.minimum(r, values(1.0))
    alone, antipodal = smaller * (p / 3 - p * p / 4), (1 + r) * p * p / 6
    assert alone.tolist() == pytest.approx(antipodal.tolist())
    assert boundary(values(0.25, 4.0)).tolist() == pytest.approx([4 / 13, 4 / 13])


def test_the_more_important_feature_is_the_one_that_stays():
    assert expected_phase(values(0.5, 2.0, 0.5), values(0.9, 0.9, 0.1)).tolist() == [FIRST, SECOND, ANTIPODAL]


def test_phases_are_told_by_lengths_and_sides():
    W = torch.tensor([[[1.0, 0.1]], [[0.1, -1.0]], [[1.0, -0.8]], [[1.0, 0.9]], [[0.0, 0.0]]])
    assert phase_of(W).tolist() == [FIRST, SECOND, ANTIPODAL, SAME_SIDE, NOTHING]


@pytest.mark.slow
def test_trained_optima_agree_in_98_of_100_cells():
    found = phase_diagram(PhaseGridConfig())
    assert found.phase.shape == (16, 16)
    assert float(found.agrees.double().mean()) >= 0.98
    # Where they do not, training found the antipodal pair a little beyond the boundary, not something else.
    odd = ~found.agrees
    ratio, density = torch.meshgrid(found.ratios, found.densities, indexing="ij")
    assert found.phase[odd].unique().tolist() == [ANTIPODAL]
    assert float((density / boundary(ratio))[odd].max()) < 1.15


@pytest.mark.slow
def test_one_restart_is_not_enough():
    alone = phase_diagram(PhaseGridConfig(restarts=1)).agrees.double().mean()
    assert float(alone) < float(phase_diagram(PhaseGridConfig()).agrees.double().mean()) - 0.02
