"""Sampling, on a corpus and features whose every activation can be counted by eye."""

import json

import pytest

from monosema.core.errors import DataError, MismatchError
from monosema.features import FeatureSample, SampleConfig, sample
from monosema.features.rows import FeatureRow

from .stand_ins import Corpus, Detecting, Letters, OneHot

# 4 blocks of 8; 5 documents. Usable: 7 + 6 + 7 + 3 = 23.
#                    01234567
TEXTS = Corpus("^abcabca", "^axx^xxb", "^xxxxxxx", "^xaa....")
FIRES = ({"a": 1.0}, {"b": 1.0, "c": 3.0}, {"z": 1.0}, {"x": 1.0, "a": 1.0, "b": 1.0, "c": 1.0})


def run(fires=FIRES, corpus=TEXTS, **settings) -> FeatureSample:
    return sample(Detecting(fires), OneHot(), corpus, Letters(), SampleConfig(**settings))


def row(found: FeatureSample, feature: int) -> FeatureRow:
    return next(r for r in found.features if r.feature == feature)


def test_frequencies_and_activations_are_exact():
    found = run()
    assert (found.n_tokens, found.n_documents, found.n_features) == (23, 5, 4)
    a, bc = row(found, 0), row(found, 1)
    # 'a' at positions 1, 4, 7 | 1 | 2, 3 : values 1.01, 1.04, 1.07, 1.01, 1.02, 1.03
    assert (a.n_active, a.frequency) == (6, 6 / 23)
    assert a.max_activation == 1.07
    assert a.mean_activation == round((1.01 + 1.04 + 1.07 + 1.01 + 1.02 + 1.03) / 6, 4)
    # 'c' at 3, 6 with weight 3, 'b' at 2, 5 | 7
    assert (bc.n_active, bc.max_activation) == (5, 3.18)


def test_dead_features_are_counted_and_never_shown_or_scored():
    found = run()
    assert found.n_dead == 1
    assert {r.feature for r in found.features} == {0, 1, 3}
    assert 2 not in {s.feature for s in found.scored}


def test_every_feature_dead_gives_an_empty_sample():
    found = run(fires=({"z": 1.0},))
    assert (found.n_dead, found.features, found.scored, found.strata) == (1, (), (), ())


def test_top_contexts_are_the_strongest_of_each_document_in_order():
    top = row(run(), 0).top
    assert [(c.document, c.block, c.position) for c in top] == [
        ("document 0", 0, 7),  # 1.07, and not 1.04 of the same document
        ("document 4", 3, 3),  # 1.03
        ("document 1", 1, 1),  # 1.01
    ]
    assert [c.activations[c.at] for c in top] == [1.07, 1.03, 1.01]


def test_a_document_over_several_batches_is_shown_once():
    # Blocks 0 and 1 are one document; the stronger firing is in the second.
    corpus = Corpus("^axxxxxx", "^xxxaxxx", "^axxxxxx", continues=frozenset({1}))
    top = row(run(corpus=corpus, batch_tokens=8), 0).top
    assert [(c.document, c.block, c.position) for c in top] == [("document 0", 1, 4), ("document 1", 2, 1)]


def test_equal_activations_show_the_earlier_place():
    corpus = Corpus("^xaxxxxx", "^xaxxxxx", "^xaxxxxx")
    top = row(run(corpus=corpus, n_top=2), 0).top
    assert [c.block for c in top] == [0, 1]


def test_active_contexts_fire_and_inactive_ones_fire_nowhere_in_the_window():
    found = run(before=1, after=1, n_active=99, n_inactive=99)
    for feature, character in ((0, "a"), (1, "bc")):
        r = row(found, feature)
        assert len(r.active) == r.n_active
        assert all(c.texts[c.at] in character and c.activations[c.at] > 0 for c in r.active)
        assert all(set(character).isdisjoint(c.texts) and not any(c.activations) for c in r.inactive)
    # Without an 'a' next to them: block 1 positions 3, 5, 6, 7 and the seven of block 2.
    quiet = {(c.block, c.position) for c in row(found, 0).inactive}
    assert quiet == {(1, 3), (1, 5), (1, 6), (1, 7)} | {(2, i) for i in range(1, 8)}
    # A feature that fires everywhere has none.
    assert row(found, 3).inactive == ()


def test_random_contexts_are_drawn_without_preference():
    # 60 firings in 20 documents, of rising strength: a uniform draw of 30 lies on both sides of the middle.
    corpus = Corpus(*["^axxaxxa"] * 20)
    places = {(c.block, c.position) for c in row(run(corpus=corpus, n_active=30), 0).active}
    assert len(places) == 30
    assert all(5 <= sum(position == p for _, position in places) <= 15 for p in (1, 4, 7))
    other = {(c.block, c.position) for c in row(run(corpus=corpus, n_active=30, seed=1), 0).active}
    assert places != other


def test_the_first_and_the_last_position_can_be_shown():
    corpus = Corpus("^axxxxxx", "^xxxxxxa")
    contexts = {c.position: c for c in row(run(corpus=corpus, before=3, after=2), 0).top}
    assert contexts[1].texts == ("^", "a", "x", "x")
    assert contexts[1].at == 1
    assert contexts[1].activations == (None, 1.01, 0.0, 0.0)  # nothing is computed at a BOS
    assert contexts[7].texts == ("x", "x", "x", "a")
    assert contexts[7].at == 3


def test_a_window_stops_at_the_edge_of_its_document():
    top = row(run(), 0).top
    assert ["".join(c.texts) for c in top] == ["^abcabca", "^xaa", "^axx"]
    # The second document of a block: what stands before its BOS is another's.
    assert [("".join(c.texts), c.at) for c in row(run(), 1).top] == [("^abcabca", 6), ("^xxb", 3)]


def test_a_feature_that_always_fires_is_in_the_highest_band():
    assert row(run(), 3).frequency == 1.0
    assert [(s.low, s.high, s.n_features, s.n_shown) for s in run().strata] == [(0.1, 1.0, 3, 3)]


def test_the_top_token_has_the_most_firings():
    token = row(run(), 1).top_token  # 'b' three times, 'c' twice
    assert (token.text, token.share) == ("b", 3 / 5)


def test_logit_effects_are_the_decoder_row_less_its_mean():
    effects = row(run(n_logits=2), 1).logits
    assert effects is not None
    mean = 4 / 28
    assert [(e.text, e.effect) for e in effects.top] == [("c", round(3 - mean, 4)), ("b", round(1 - mean, 5))]
    assert [e.effect for e in effects.bottom] == [round(-mean, 5)] * 2


@pytest.mark.parametrize(
    ("writes", "reason"),
    [(("attn_z.0",), "residual stream"), (("resid_post.0", "resid_post.1"), "2 sites"), (("h.0.mlp:out",), "own path")],
)
def test_where_a_logit_effect_is_undefined_the_sample_says_why(writes: tuple[str, ...], reason: str):
    found = sample(Detecting(FIRES, writes=writes), OneHot(), TEXTS, Letters())
    assert reason in found.no_logits
    assert all(r.logits is None for r in found.features)
    assert run().no_logits == ""


def test_strata_share_the_sample_equally_and_count_what_they_stand_for():
    # Of 1,000 tokens 'x' is 90% or so, 'b' below 10%, 'a' below 1%: bands of 1, 2 and 3 features.
    corpus = Corpus(*["^" + "x" * 99] * 9, "^" + "x" * 40 + "b" * 50 + "a" * 9)
    fires = [{"x": 1.0}, {"b": 1.0}, {"b": 2.0}, {"a": 1.0}, {"a": 2.0}, {"a": 3.0}]
    found = run(fires=fires, corpus=corpus, n_features=4)
    assert [(s.n_features, s.n_shown) for s in found.strata] == [(1, 1), (2, 2), (3, 1)]
    assert [(s.low, s.high) for s in found.strata] == [(0.1, 1.0), (0.01, 0.1), (0.001, 0.01)]
    shown = [r.feature for r in found.features]
    assert shown[0] == 0 and shown[1:3] == [1, 2] and shown[3] in (3, 4, 5)
    assert [r.frequency for r in found.features] == sorted((r.frequency for r in found.features), reverse=True)


@pytest.mark.parametrize("batch_tokens", [8, 16, 24, 10_000])
def test_a_sample_does_not_depend_on_batching(batch_tokens: int):
    got, expected = run(batch_tokens=batch_tokens), run(batch_tokens=4096)
    assert (got.features, got.scored, got.strata) == (expected.features, expected.scored, expected.strata)


def test_max_tokens_takes_blocks_evenly():
    corpus = Corpus(*[f"^{c}xxxxxx" for c in "abcdefgh"])
    found = run(fires=(dict.fromkeys("abcdefgh", 1.0),), corpus=corpus, max_tokens=32)
    assert found.n_tokens == 28
    assert sorted(c.block for c in found.features[0].top) == [0, 2, 4, 6]


def test_a_sample_comes_back_from_json():
    found = run()
    assert FeatureSample.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found


def test_a_dictionary_of_another_width_is_named():
    with pytest.raises(MismatchError, match="reads 5 numbers a token; the model has 28 at resid_post"):
        sample(Detecting(FIRES, d_in=5), OneHot(), TEXTS, Letters())


def test_a_corpus_without_text_is_an_error():
    with pytest.raises(DataError, match="no usable token"):
        run(corpus=Corpus("^......."))
