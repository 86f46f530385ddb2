"""The summary finding: it tells features that follow tokens from features that do not."""

import random

import torch

from monosema.features import SampleConfig, readability, sample

from .stand_ins import VOCABULARY, Corpus, Detecting, Letters, OneHot

LETTERS = VOCABULARY[2:]
_draw = random.Random(0)
CORPUS = Corpus(*["^" + "".join(_draw.choices(LETTERS, k=63)) for _ in range(40)])


class Deaf(Detecting):
    """Fires as often as the other, on positions that have nothing to do with the text."""

    def encode(self, x):
        generator = torch.Generator().manual_seed(int(x.sum() * 1000))
        return super().encode(x[torch.randperm(len(x), generator=generator)])


def test_token_features_score_one_and_features_of_chance_score_next_to_nothing():
    fires = [{letter: 1.0} for letter in LETTERS]
    trained = sample(Detecting(fires), OneHot(), CORPUS, Letters())
    control = sample(Deaf(fires), OneHot(), CORPUS, Letters())
    finding = readability(trained, control, "shuffled positions")
    assert finding is not None
    assert (finding.value, finding.low, finding.high, finding.n, finding.unit) == (1.0, 1.0, 1.0, 26, "features")
    assert finding.control is not None and finding.control < 0.15
    assert finding.control_is == "shuffled positions"


def test_the_interval_is_over_features():
    # Half of the features are letters (F1 1), half fire on one letter of two (F1 2/3): a mean of 5/6.
    fires = [{c: 1.0} for c in LETTERS] + [
        {c: 1.0, d: 1.0} for c, d in zip(LETTERS, LETTERS[1:] + LETTERS[0], strict=True)
    ]
    finding = readability(sample(Detecting(fires), OneHot(), CORPUS, Letters()), None, "skipped")
    assert finding is not None
    assert abs(finding.value - 5 / 6) < 0.02
    assert finding.low < finding.value < finding.high
    assert 0.03 < finding.high - finding.low < 0.12  # 1.96 * 2 * (1/6) / sqrt(52) = 0.09
    assert finding.control is None


def test_features_that_fire_too_rarely_are_not_drawn():
    corpus = Corpus("^" + "x" * 50 + "a" * 9 + "b" * 10)
    found = sample(Detecting([{"x": 1.0}, {"a": 1.0}, {"b": 1.0}]), OneHot(), corpus, Letters(), SampleConfig())
    assert [s.feature for s in found.scored] == [0, 2]
    assert found.n_eligible == 2


def test_one_feature_makes_no_finding():
    found = sample(Detecting([{"x": 1.0}]), OneHot(), Corpus("^" + "x" * 50), Letters())
    assert readability(found, None, "skipped") is None
