"""Baselines on features whose rule is known, and on noise."""

import pytest
import torch

from monosema.features.explaining.baselines import fitted, intruder, rules, scored
from monosema.features.explaining.config import ExplainConfig
from monosema.features.explaining.drawing import draw
from monosema.features.explaining.sources import Acts

from .texts import acts_where, background, text

TEXT = text()
BACKGROUND = background(TEXT)
PREVIOUS = torch.cat([torch.full((len(TEXT.tokens), 1), -1), TEXT.tokens[:, :-1]], dim=1)
ON_TOKEN = TEXT.tokens == 7
ON_PAIR = (TEXT.tokens == 7) & (PREVIOUS % 5 == 1)


def noise(seed: int = 0) -> Acts:
    draws = torch.Generator().manual_seed(seed)
    return acts_where(torch.rand(TEXT.tokens.shape, generator=draws) < 0.02 * TEXT.usable)


def on_topic() -> Acts:
    """Fires at the end of every window that holds tokens 3 and 4, whatever stands there."""
    mask, windows = torch.zeros(TEXT.tokens.numel(), dtype=torch.bool), BACKGROUND.windows
    for window in range(len(windows)):
        places, _ = windows.places(torch.tensor([window]))
        mask[places[-1]] = {3, 4} <= set(windows.tokens(places).tolist())
    return acts_where(mask)


def values(acts: Acts, other: Acts | None = None, background=BACKGROUND) -> dict[str, dict[str, float]]:
    """The scores of each baseline's explanation of `acts`, or of `other`, on the windows of `acts`."""
    drawn = [draw(i, a, background.windows, ExplainConfig()) for i, a in enumerate([acts, other or acts])]
    found = {}
    for name, its in rules(drawn, background).items():
        by = fitted(its[1], drawn[1])
        found[name] = {score: tally.value for score, tally in scored(by, drawn[0], background).items()}
    return found


def test_a_token_is_explained_wholly_by_token_and_by_pair():
    found = values(acts_where(ON_TOKEN))
    for name in ("ngrams", "tokens"):
        assert found[name]["detection"] == found[name]["detection_auc"] == found[name]["fuzzing"] == 1.0
        assert found[name]["simulation"] == pytest.approx(1.0, abs=1e-6)
        assert found[name]["embedding"] == 1.0
    assert found["tfidf"]["detection_auc"] > 0.95 and found["tfidf"].keys() == {
        "detection",
        "detection_auc",
        "embedding",
    }


def test_a_pair_takes_pairs():
    found = values(acts_where(ON_PAIR))
    assert found["ngrams"]["simulation"] > 0.95 and found["ngrams"]["detection"] > 0.95
    assert found["tokens"]["simulation"] < 0.6 and found["tokens"]["detection"] < 0.9


def test_a_topic_takes_words():
    found = values(on_topic())
    assert found["tfidf"]["detection_auc"] > 0.8
    assert found["ngrams"]["detection_auc"] < 0.65 and found["ngrams"]["simulation"] < 0.2


def test_noise_has_no_explanation():
    found = [values(noise(seed)) for seed in range(4)]
    for name in ("ngrams", "tokens", "tfidf"):
        for score, chance in (("detection", 0.5), ("detection_auc", 0.5), ("fuzzing", 0.5), ("simulation", 0.0)):
            its = [one[name][score] for one in found if score in one[name] and one[name][score] is not None]
            assert not its or sum(its) / len(its) == pytest.approx(chance, abs=0.12)


def test_the_explanation_of_another_feature_is_at_chance():
    found = values(acts_where(ON_TOKEN), acts_where(TEXT.tokens == 12))
    for name in ("ngrams", "tokens"):
        assert found[name]["detection"] == pytest.approx(0.5, abs=0.15)
        assert found[name]["simulation"] == pytest.approx(0.0, abs=0.1)


def test_what_judges_says_nothing_to_what_explains():
    """On documents that judge, the feature fires on token 9 instead of 7: nothing of that reaches the explanation."""
    judging = torch.zeros(len(TEXT.names), dtype=torch.bool)
    judging[BACKGROUND.windows.documents[BACKGROUND.windows.judging]] = True
    at = judging[TEXT.documents]
    acts = acts_where((at & (TEXT.tokens == 9)) | (~at & ON_TOKEN))
    drawn = draw(0, acts, BACKGROUND.windows, ExplainConfig())
    for name, (rule,) in rules([drawn], BACKGROUND).items():
        assert rule.terms[0] == "w7" and (name == "tfidf" or "w9" not in rule.text)
    assert values(acts)["tokens"]["detection"] < 0.6


def test_simulation_estimates_that_on_every_token_of_the_documents_that_judge():
    # With more windows asked for than there are, it is the correlation over all of them.
    drawn = draw(0, acts_where(ON_PAIR), BACKGROUND.windows, ExplainConfig(n_windows=1000))
    windows = BACKGROUND.windows
    places, _ = windows.places(windows.judging.nonzero().flatten())
    rule = rules([drawn], BACKGROUND)["tokens"][0]
    expected = torch.corrcoef(torch.stack([rule.of_places(places), drawn.acts.at(places)]).double())[0, 1]
    assert scored(fitted(rule, drawn), drawn, BACKGROUND)["simulation"].value == pytest.approx(float(expected))


def test_words_that_are_all_one_topic_give_the_intruder_away():
    made = text()
    odd = made.documents % 2 == 1
    made.tokens[odd & made.usable] = made.tokens[odd & made.usable] % 14 + 15  # of other words than the even ones
    made.tokens[~odd & made.usable] = made.tokens[~odd & made.usable] % 14 + 1
    other = background(made)
    topic = draw(0, acts_where(odd & (made.tokens % 3 == 0)), other.windows, ExplainConfig())
    found = intruder(topic.odd, other)
    assert found is not None and found.value == 1.0 and found.n == len(topic.odd) == 12
    assert intruder((), other) is None
