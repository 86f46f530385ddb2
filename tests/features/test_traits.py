"""Scores of features drawn at random, on a language whose one rule is known: token 1 is always followed by token 2."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from monosema.corpus.blocks import TokenBlocks
from monosema.corpus.views import ShuffledTokens
from monosema.features.effects.measures import total
from monosema.features.effects.subjects import counted_tokens
from monosema.features.traits import MIN_FIRINGS, TraitConfig, traits

from .toy_models import Mixing, dictionary_of

N, CONTEXT, N_BLOCKS = 8, 20, 60
RULE = 1


def language() -> SimpleNamespace:
    """A corpus of one document a block behind a BOS (token 0)."""
    random = torch.Generator().manual_seed(0)
    tokens = torch.randint(1, N, (N_BLOCKS, CONTEXT), generator=random)
    tokens[:, 0] = 0
    for position in range(1, CONTEXT - 1):
        tokens[:, position + 1] = torch.where(tokens[:, position] == RULE, 2, tokens[:, position + 1])
    documents = torch.arange(N_BLOCKS).unsqueeze(1).expand_as(tokens).clone()
    usable = torch.arange(CONTEXT).expand_as(tokens) > 0
    whole = TokenBlocks(tokens, documents, usable)
    return SimpleNamespace(
        context=CONTEXT,
        n_blocks=N_BLOCKS,
        d_vocab=N,
        fingerprint="1a",
        whole=whole,
        blocks=lambda a, b: TokenBlocks(tokens[a:b], documents[a:b], usable[a:b]),
        document_name=lambda i: f"document {i}",
    )


TEXT = language()
DICTIONARY = dictionary_of(torch.eye(N), torch.eye(N))
CONFIG = TraitConfig(max_tokens=N_BLOCKS * CONTEXT, n_features=N, n_important=N, n_blocks=N_BLOCKS)


@pytest.fixture(scope="module")
def model() -> Mixing:
    U = 0.3 * torch.randn(N, N, generator=torch.Generator().manual_seed(1))
    U[RULE, 2] = 4.0
    return Mixing(E=torch.eye(N), U=U)


@pytest.fixture(scope="module")
def found(model):
    return traits({"d": DICTIONARY}, model, TEXT, CONFIG)["d"]


def at(found, feature: int, trait: str) -> float:
    return float(found.values[trait][(found.features == feature).nonzero().item()])


def test_every_feature_that_fires_is_drawn_once(found):
    assert sorted(found.features.tolist()) == list(range(1, N)) and found.n_firing == N - 1


def test_a_feature_that_a_token_tells_all_about_has_a_floor_of_one(found):
    # Up to the shrinkage of the floor towards the mean over tokens.
    assert all(at(found, f, "floor_r") > 0.999 and at(found, f, "floor_f1") == 1.0 for f in range(1, N))


def test_foretelling_is_the_rank_of_what_comes_less_its_rank_everywhere(model, found):
    ranks = model.U[RULE].argsort().argsort().double() / N
    following = TEXT.whole.tokens[:, 2:].flatten()
    expected = float(ranks[2] - ranks[following].mean())
    assert at(found, RULE, "foretells") == pytest.approx(expected) and expected > 0.3


def test_in_shuffled_text_nothing_is_foretold(model, found):
    shuffled = traits({"d": DICTIONARY}, model, ShuffledTokens(TEXT), CONFIG)["d"]
    assert abs(at(shuffled, RULE, "foretells")) < 0.15 < at(found, RULE, "foretells")


def test_importance_is_the_exact_mean_effect_on_the_loss(model, found):
    effects = total(model, DICTIONARY, TEXT.whole, torch.arange(N)).double().sum((1, 2))
    expected = effects / int(counted_tokens(TEXT.whole).sum())
    assert all(at(found, f, "importance") == pytest.approx(float(expected[f]), abs=1e-9) for f in range(1, N))
    assert at(found, RULE, "importance") > 5 * max(at(found, f, "importance") for f in range(2, N))


def test_a_random_direction_in_the_place_of_the_rule_does_less(found):
    assert at(found, RULE, "random_direction") < 0.5 * at(found, RULE, "importance")


def test_what_fires_too_seldom_is_not_drawn(model):
    tokens = TEXT.whole.tokens.clone()
    tokens[tokens == 5] = 6
    tokens[0, 1:MIN_FIRINGS] = 5  # fifteen times
    rare = SimpleNamespace(**vars(TEXT))
    rare.blocks = lambda a, b: TokenBlocks(tokens[a:b], TEXT.whole.documents[a:b], TEXT.whole.usable[a:b])
    assert 5 not in traits({"d": DICTIONARY}, model, rare, CONFIG)["d"].features.tolist()


def test_a_draw_is_a_subset_and_importance_is_of_its_first(model, found):
    few = traits({"d": DICTIONARY}, model, TEXT, TraitConfig(N_BLOCKS * CONTEXT, 4, 2, N_BLOCKS))["d"]
    assert len(few.features) == 4 and few.n_firing == N - 1
    assert np.isnan(few.values["importance"]).tolist() == [False, False, True, True]
    for f in few.features.tolist():
        assert at(few, f, "foretells") == at(found, f, "foretells")
