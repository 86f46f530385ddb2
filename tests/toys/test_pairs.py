"""Cosines within and across pairs, and inputs whose pairs are all of a kind."""

import math

import pytest
import torch

from monosema.core.errors import ConfigError
from monosema.toys.pairs import KINDS, density_grid, inputs_of, pair_cosines
from monosema.toys.settings import CorrelatedConfig


def test_cosines_within_and_across_pairs():
    # Features 0 and 1 opposite, 2 and 3 at 60 degrees, 4 opposite 5 but too short to count.
    W = torch.tensor([[1.0, -1.5, 0.0, math.sqrt(0.75), 1.0, -0.1], [0.0, 0.0, 1.0, 0.5, 0.0, 0.0]])
    within, across = pair_cosines(W)
    assert float(within) == pytest.approx((-1 + 0.5) / 2)
    # (0,2) 0, (0,3) .866, (0,4) 1, (1,2) 0, (1,3) -.866, (1,4) -1, (2,4) 0, (3,4) .866
    assert float(across) == pytest.approx(math.sqrt(0.75) / 8, abs=1e-6)


def test_without_a_pair_there_is_no_cosine():
    within, _ = pair_cosines(torch.tensor([[1.0, 0.0, 1.0, 0.0]]))
    assert math.isnan(float(within))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_on_as_often_and_pairs_are_what_they_are_called(kind):
    on = inputs_of(kind, 4, torch.tensor([0.3], dtype=torch.float64)).draw(100_000, 0, 0)[0] > 0
    assert on.double().mean(1).tolist() == pytest.approx([0.3] * 4, abs=0.01)
    both = [float((on[i] & on[i + 1]).double().mean()) for i in (0, 2)]
    expected = {"correlated": 0.3, "anticorrelated": 0.0, "independent": 0.09}[kind]
    assert both == pytest.approx([expected] * 2, abs=0.01)


def test_densities_rise_to_the_highest():
    assert density_grid(CorrelatedConfig(densities=3, lowest=0.02)).tolist() == pytest.approx([0.02, 0.1, 0.5])


@pytest.mark.parametrize(
    "settings, words",
    [({"n": 5}, "features come in pairs"), ({"highest": 0.6}, "highest"), ({"dimensions": (3, 2)}, "rising numbers")],
)
def test_what_is_no_set_of_pairs_is_refused(settings, words: str):
    with pytest.raises(ConfigError, match=words):
        CorrelatedConfig(**settings)
