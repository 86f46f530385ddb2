"""The control of random directions: what it shares with the dictionary, and what it must not."""

from dataclasses import replace

import pytest
import torch

from monosema.core.errors import ConfigError
from monosema.corpus.worlds import SITE, World, WorldConfig
from monosema.dictionaries import Dictionary, JumpReLUConfig, Weights
from monosema.dictionaries.jumprelu import JumpReLU
from monosema.evaluation.random_decoder import random_decoder, why_undefined

WORLD = World(WorldConfig(n_features=64, d=256, l0=3.0, offset=2.0, seed=1))
X = WORLD.rows(2048, "random decoder").x


def truth() -> Dictionary:
    """The world's own directions, of lengths from 1 to 3, read above half of the smallest magnitude."""
    norms = torch.linspace(1, 3, 64).unsqueeze(1)
    extra = {"threshold": 0.5 / norms.squeeze(1)}
    weights = Weights(WORLD.directions / norms, WORLD.directions * norms, torch.zeros(64), WORLD.mean, True, extra)
    rule = JumpReLU(JumpReLUConfig(n_features=64, target=3.0))
    return Dictionary("jumprelu", rule, weights, (SITE,), (SITE,), (256,), (256,), torch.ones(64, dtype=torch.bool))


def variance_explained(dictionary: Dictionary, x: torch.Tensor) -> float:
    y = dictionary.reconstruct(x)
    return 1 - float((x - y).square().sum() / (x - x.mean(0)).square().sum())


def test_it_has_the_norms_and_fires_as_often_on_the_rows_it_was_made_for():
    own, control = truth(), random_decoder(truth(), X)
    assert torch.allclose(control.W_dec.norm(dim=1), own.W_dec.norm(dim=1), rtol=1e-5)
    assert torch.equal(control.encode(X).counts(), own.encode(X).counts())
    elsewhere = WORLD.rows(2048, "others").x
    a, b = (float(d.encode(elsewhere).l0().float().mean()) for d in (own, control))
    assert b == pytest.approx(a, rel=0.1)


def test_its_directions_are_not_the_dictionarys():
    cosines = torch.nn.functional.cosine_similarity(random_decoder(truth(), X).W_dec, truth().W_dec)
    assert abs(float(cosines.mean())) < 4 / (256 * 64) ** 0.5
    assert torch.equal(random_decoder(truth(), X, 1).W_dec, random_decoder(truth(), X, 1).W_dec)
    assert not torch.equal(random_decoder(truth(), X, 1).W_dec, random_decoder(truth(), X, 2).W_dec)


def test_it_reconstructs_something_and_much_less_than_the_truth():
    control = random_decoder(truth(), X)
    assert 0.02 < variance_explained(control, X) < 0.5 < 0.8 < variance_explained(truth(), X)


def test_its_gain_is_the_best_one():
    control = random_decoder(truth(), X)
    best = variance_explained(control, X)
    for factor in (0.8, 1.25):
        w = control.weights
        extra = {"threshold": factor * w.extra["threshold"]}
        other = Weights(factor * w.W_enc, w.W_dec, factor * w.b_enc, w.b_dec, True, extra)
        assert variance_explained(replace(control, weights=other), X) < best


def test_a_feature_that_never_fires_never_does_there_and_one_that_always_fires_does():
    own = truth()
    w = own.weights
    b_enc = torch.zeros(64)
    b_enc[0], b_enc[1] = 100.0, -100.0  # always, and never
    own = replace(own, weights=Weights(w.W_enc, w.W_dec, b_enc, w.b_dec, True, w.extra))
    counts = random_decoder(own, X).encode(X).counts()
    assert counts[:2].tolist() == [2048, 0]


def test_a_pruned_feature_stays_pruned():
    keep = torch.ones(64, dtype=torch.bool)
    keep[5:20] = False
    assert int(random_decoder(truth().pruned(keep), X).encode(X).counts()[5:20].sum()) == 0


def test_a_transcoder_has_none_and_says_why():
    transcoder = replace(truth(), writes=("mlp_out.0",))
    assert why_undefined(transcoder) == "it reads resid_post.0 and writes mlp_out.0"
    with pytest.raises(ConfigError, match=r"no random counterpart: it reads resid_post\.0 and writes mlp_out\.0"):
        random_decoder(transcoder, X)
