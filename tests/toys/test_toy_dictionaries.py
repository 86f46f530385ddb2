"""Dictionaries of every architecture on the hidden states of toy models."""

import pytest
import torch

from monosema.dictionaries import ARCHITECTURES
from monosema.toys.dictionaries import dictate, specs
from monosema.toys.inputs import uniform_inputs
from monosema.toys.settings import ToyDictionariesConfig
from monosema.toys.sources import Rows


def test_every_architecture_is_there_and_l1_twice():
    named = [spec.architecture for spec in specs(ToyDictionariesConfig())]
    assert set(named) == set(ARCHITECTURES)
    assert sorted(named) == sorted([*ARCHITECTURES, "l1"])


def test_rows_of_a_toy_model_are_its_hidden_states():
    W, inputs = torch.randn(3, 5, generator=torch.Generator().manual_seed(0)), uniform_inputs(1, 5, 0.3)
    source = Rows(W.T.contiguous(), inputs, torch.full((5,), -1))
    rows = source.rows(64, "check")
    assert torch.allclose(rows.x, (W @ source.magnitudes(64, "check").T).T, atol=1e-6)
    assert source.widths == {"resid_post.0": 3}


@pytest.mark.slow
def test_topk_finds_the_features_of_a_toy_model_and_not_those_of_another():
    config = ToyDictionariesConfig(n=10, m=5, n_features=12, seeds=1, toy_steps=1000, rows=120_000)
    topk = next(spec for spec in specs(config) if spec.name == "topk")
    found = dictate(config, [topk])[0][0]
    assert float(found.matched.mean()) > 0.95
    assert float(found.control.mean()) < 0.85
    assert found.recovered >= 0.9
    assert 0.9 < found.variance_explained <= 1
