"""The order in which features lose their directions, and sweeps over shapes."""

import pytest
import torch

from monosema.toys.collapse import Collapse, collapse_features, order, rank_correlation, without_importance
from monosema.toys.settings import CollapseConfig
from monosema.toys.sweeps import sweep
from monosema.toys.training import ToyTrainConfig


def values(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def test_rank_correlation_is_spearmans():
    from scipy.stats import spearmanr

    a, b = values(3, 1, 4, 1, 5, 9, 2), values(2, 7, 1, 8, 2, 8, 1)
    assert rank_correlation(a, b) == pytest.approx(float(spearmanr(a, b).statistic))
    assert rank_correlation(a, a.exp()) == pytest.approx(1)
    assert rank_correlation(a, torch.ones(7, dtype=torch.float64)) == 0.0


def test_the_order_is_read_off_who_lasts():
    # Feature 2 goes at the second density, feature 1 at the third, feature 0 stays.
    kept = torch.tensor([[[True, True, True], [True, True, False], [True, False, False]]])
    nothing = torch.zeros(1, 3, 3, dtype=torch.float64)
    found = Collapse(values(0.1, 0.3, 1), values(1, 0.5, 0.25), kept, nothing, nothing, "")
    assert found.lasting.tolist() == [pytest.approx([1, 2 / 3, 1 / 3])]
    assert found.first == [2]
    assert order(found) == [pytest.approx(1)]


@pytest.mark.slow
def test_the_least_important_features_collapse_first_and_only_for_their_importance():
    config = CollapseConfig(n=6, m=2, decay=0.7, densities=8, seeds=6, steps=1000, lr=0.02)
    assert min(order(collapse_features(config))) > 0.8
    control = order(collapse_features(without_importance(config)))
    assert abs(sum(control) / len(control)) < 0.5


@pytest.mark.slow
def test_a_sweep_keeps_the_best_of_its_restarts():
    training = ToyTrainConfig(steps=1500, lr=0.05, last_lr=0.0, method="exact_one")
    found = sweep([(5, 2), (6, 3)], [0.01], 8, training)
    assert [(one.n, one.m, one.shape) for one in found] == [(5, 2, "pentagon"), (6, 3, "octahedron")]
    assert found[0].loss == pytest.approx(0.079128, abs=1e-4)
    assert found[0].reading.per_feature == pytest.approx(2.5, abs=1e-3)
    assert found[0].reading.frobenius > 3.4
