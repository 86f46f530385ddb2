"""Scores worked by hand, and by scikit-learn and numpy."""

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from monosema.features.explaining import measures

ONE_EACH = torch.arange(6)
TRUTH = torch.tensor([True, True, True, True, False, False])


def random(seed=0):
    return torch.Generator().manual_seed(seed)


def test_balanced_accuracy_by_hand():
    # 3 of 4 right where true, 1 of 2 where false: (.75 + .5) / 2. Plain accuracy says 4 / 6.
    said = torch.tensor([True, True, True, False, False, True])
    assert measures.balanced_accuracy(said, TRUTH, ONE_EACH).value == 0.625
    assert measures.balanced_accuracy(torch.ones(6, dtype=torch.bool), TRUTH, ONE_EACH).value == 0.5
    assert measures.balanced_accuracy(TRUTH, TRUTH, ONE_EACH).value == 1.0
    assert measures.balanced_accuracy(said, torch.ones(6, dtype=torch.bool), ONE_EACH).value is None


def test_auc_by_hand_with_ties():
    # Pairs: (3, 2) (3, 1) (2, 2)=half (2, 1) (1, 2)no (1, 1)=half (0, .)no no -> 4 of 8.
    numbers = torch.tensor([3.0, 2.0, 1.0, 0.0, 2.0, 1.0])
    assert measures.auc(numbers, TRUTH, ONE_EACH).value == 0.5
    assert measures.auc(torch.ones(6), TRUTH, ONE_EACH).value == 0.5


def test_against_scikit_learn_whatever_the_documents():
    draws = random()
    numbers = torch.randint(0, 20, (300,), generator=draws).float()
    truth = torch.rand(300, generator=draws) < 0.1 + numbers / 30
    documents = torch.randint(0, 9, (300,), generator=draws)
    assert measures.auc(numbers, truth, documents).value == pytest.approx(roc_auc_score(truth, numbers))
    said = numbers >= 7
    assert measures.balanced_accuracy(said, truth, documents).value == pytest.approx(
        balanced_accuracy_score(truth, said)
    )


def test_correlation_counts_a_window_as_often_as_it_stands_for():
    draws = random(1)
    x, y = torch.rand(40, generator=draws), torch.rand(40, generator=draws)
    weights = torch.where(torch.arange(40) < 20, 1.0, 3.0).double()
    repeated = np.repeat(np.arange(40), weights.long().numpy())
    expected = np.corrcoef(x.numpy()[repeated], y.numpy()[repeated])[0, 1]
    found = measures.correlation(x, y, weights, torch.arange(40) // 4, 10)
    assert found.value == pytest.approx(expected) and found.n == 10
    assert found.value != pytest.approx(np.corrcoef(x.numpy(), y.numpy())[0, 1], abs=1e-3)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e-20])
def test_what_does_not_vary_has_no_correlation(constant):
    y = torch.rand(40, generator=random())
    weights = torch.full((40,), 7.3).double()
    flat = torch.full((40,), constant)
    assert measures.correlation(flat, y, weights, torch.arange(40), 4).value is None
    assert measures.correlation(y, torch.zeros(40), weights, torch.arange(40), 4).value is None


def test_an_interval_is_over_documents():
    # The same windows in two documents instead of sixty say much less.
    truth = torch.arange(60) % 2 == 0
    said = truth ^ (torch.rand(60, generator=random()) < 0.2)
    wide, narrow = (
        measures.interval(measures.balanced_accuracy(said, truth, documents), random(2))
        for documents in (torch.arange(60) // 30, torch.arange(60))
    )
    assert wide.value == narrow.value and narrow.low < narrow.value < narrow.high
    alone = measures.interval(measures.balanced_accuracy(said, truth, torch.zeros(60).long()), random())
    assert alone.value == narrow.value and (alone.low, alone.high) == (None, None)


def test_a_margin_is_paired():
    truth = torch.arange(80) % 2 == 0
    noise = torch.rand(80, generator=random()) < 0.3
    one, documents = truth ^ noise, torch.arange(80) // 2
    same = measures.margin(*(measures.balanced_accuracy(one, truth, documents) for _ in range(2)), random())
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    better = measures.balanced_accuracy(truth, truth, documents)
    found = measures.margin(better, measures.balanced_accuracy(one, truth, documents), random())
    assert found.value == pytest.approx(float(noise.float().mean()), abs=0.02) and found.low > 0


def test_the_best_cut():
    numbers = torch.tensor([0.9, 0.8, 0.7, 0.3, 0.6, 0.1])
    assert measures.best_cut(numbers, TRUTH) == pytest.approx(0.65)
    assert measures.best_cut(-numbers, ~TRUTH) == pytest.approx(-0.65)
    assert measures.best_cut(-numbers, TRUTH) == -torch.inf  # yes to all is best
    assert measures.best_cut(numbers, torch.ones(6, dtype=torch.bool)) == torch.inf
