"""Sparse features have the probabilities, magnitudes and correlations that were asked for."""

import pytest
import torch

from monosema.core.errors import ConfigError
from monosema.toys.inputs import Inputs, uniform_inputs

ROWS = 200_000


def pairs(p: float, **kinds: int) -> Inputs:
    return Inputs(torch.full((1, 4), p), torch.ones(1, 4), **kinds)


def test_features_are_on_as_often_as_asked_with_uniform_magnitudes():
    p = torch.tensor([[0.02, 0.3, 1.0], [0.5, 0.1, 0.7]], dtype=torch.float64)
    x = Inputs(p, torch.ones(2, 3)).draw(ROWS, seed=0, step=0)
    on = x > 0
    assert on.double().mean(-1).flatten().tolist() == pytest.approx(p.flatten().tolist(), abs=0.005)
    for instance in range(2):
        for i in range(3):
            sizes = x[instance, i][on[instance, i]].double()
            assert float(sizes.mean()) == pytest.approx(1 / 2, abs=0.015)
            assert float(sizes.var()) == pytest.approx(1 / 12, abs=0.004)
            assert float(sizes.min()) > 0 and float(sizes.max()) <= 1


def test_independent_features_are_independent_and_so_are_steps_and_instances():
    x = uniform_inputs(2, 3, 0.5).draw(ROWS, seed=0, step=0).view(6, -1)
    later = uniform_inputs(2, 3, 0.5).draw(ROWS, seed=0, step=1).view(6, -1)
    off = torch.corrcoef(torch.cat([x, later])) - torch.eye(12)
    assert float(off.abs().max()) < 0.012  # five standard errors


def test_draws_depend_on_seed_step_and_place_only():
    many, few = uniform_inputs(7, 4, 0.3), uniform_inputs(2, 4, 0.3)
    assert torch.equal(many.draw(64, 3, 5)[:2], few.draw(64, 3, 5))
    assert not torch.equal(few.draw(64, 3, 5), few.draw(64, 4, 5))
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert torch.equal(many.draw(64, 3, 5)[:2], few.draw(64, 3, 5))
    finally:
        torch.set_num_threads(threads)


def test_a_correlated_pair_is_on_together_with_magnitudes_of_its_own():
    x = pairs(0.3, correlated=1).draw(ROWS, 0, 0)[0]
    on = x > 0
    assert torch.equal(on[0], on[1])
    assert float(on[0].double().mean()) == pytest.approx(0.3, abs=0.005)
    both = x[:2, on[0]]
    assert abs(float(torch.corrcoef(both)[0, 1])) < 0.02
    assert both.double().mean(1).tolist() == pytest.approx([0.5, 0.5], abs=0.01)
    assert float((on[2] == on[3]).double().mean()) == pytest.approx(0.3**2 + 0.7**2, abs=0.01)


def test_an_anticorrelated_pair_is_never_on_together():
    x = pairs(0.3, correlated=1, anticorrelated=1).draw(ROWS, 0, 0)[0]
    on = x > 0
    assert not bool((on[2] & on[3]).any())
    assert on.double().mean(1).tolist() == pytest.approx([0.3] * 4, abs=0.005)
    assert float(x[3][on[3]].mean()) == pytest.approx(0.5, abs=0.01)


def test_signed_features_have_both_signs():
    inputs = Inputs(torch.full((1, 1), 0.4), torch.ones(1, 1), signed=True)
    x = inputs.draw(ROWS, 0, 0)
    sizes = x[x != 0].double()
    assert float((x != 0).double().mean()) == pytest.approx(0.4, abs=0.005)
    assert float(sizes.mean()) == pytest.approx(0, abs=0.01)
    assert float(sizes.var()) == pytest.approx(1 / 3, abs=0.01)


def test_importance_falls_by_the_decay():
    assert uniform_inputs(2, 3, torch.tensor([0.1, 0.2]), 0.5).importance.tolist() == [[1.0, 0.5, 0.25]] * 2


@pytest.mark.parametrize(
    "p, kinds, message",
    [
        (0.0, {}, r"probabilities must lie in \(0, 1\]"),
        (0.6, {"anticorrelated": 1}, "probability 1/2 at most"),
        (0.1, {"correlated": 2, "anticorrelated": 1}, "3 pairs need 6 features, there are 4"),
    ],
)
def test_what_cannot_be_drawn_is_refused(p: float, kinds: dict[str, int], message: str):
    with pytest.raises(ConfigError, match=message):
        pairs(p, **kinds)
