"""The nearest single-token rule, counted by hand, and what luck alone gives it."""

import torch

from monosema.features.detectors import TokenCounts
from monosema.features.mixing import mixed


def counts_of(tokens: list[int], active: list[list[bool]], documents: list[int], d_vocab: int = 50) -> TokenCounts:
    counts = TokenCounts(len(active[0]), d_vocab, seed=0)
    previous = [-1, *tokens[:-1]]
    counts.update(torch.tensor(documents), torch.tensor(tokens), torch.tensor(previous), torch.tensor(active))
    return counts


def halves(n: int) -> tuple[int, int]:
    """A document of the choosing half, and one of the measuring half."""
    counts = TokenCounts(1, 2, seed=0)
    half = (mixed(torch.arange(n), counts.salt) & 1).tolist()
    return half.index(0), half.index(1)


def test_f1_is_measured_on_the_other_half():
    choose, measure = halves(20)
    # Chosen half: fires on both 3s of (3, 3, 5): rule "token is 3". Measuring half: tokens 3 3 3 5, fires on
    # one 3 and on 5: hits 1, fired 2, threes 3 -> F1 = 2 / 5.
    tokens = [3, 3, 5, 3, 3, 3, 5]
    fires = [[True], [True], [False], [True], [False], [False], [True]]
    detector = counts_of(tokens, fires, [choose] * 3 + [measure] * 4).detector(0, str)
    assert detector is not None
    assert (detector.pattern, detector.text, detector.f1) == ("token", "3", 2 / 5)


def test_the_token_before_is_found():
    choose, measure = halves(20)
    tokens = [7, 1, 7, 2, 7, 3, 9] * 2
    fires = [[previous == 7] for previous in [-1, *tokens[:-1]]]
    detector = counts_of(tokens, fires, [choose] * 7 + [measure] * 7).detector(0, str)
    assert detector is not None
    assert (detector.pattern, detector.text, detector.f1) == ("previous token", "7", 1.0)


def test_a_feature_silent_in_the_choosing_half_has_no_rule():
    choose, measure = halves(20)
    assert counts_of([3, 4], [[False], [True]], [choose, measure]).detector(0, str) is None


def test_luck_is_not_rewarded():
    # 200 features that fire at random on 12 tokens of 4,000, from a vocabulary of 2,000: the best of 4,000 rules
    # has an F1 well above zero on the half that chose it, and next to none on the other.
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(2000, (4000,), generator=generator)
    active = torch.rand(4000, 200, generator=generator) < 12 / 4000
    documents = torch.arange(4000) // 20
    counts = TokenCounts(200, 2000, seed=0)
    counts.update(documents, tokens, torch.cat([torch.tensor([-1]), tokens[:-1]]), active)
    counts.detector(0, str)
    chosen = [max(counts._best_rule(kind, f)[0] for kind in (0, 1)) for f in range(200)]
    measured = [d.f1 for f in range(200) if (d := counts.detector(f, str))]
    assert sum(chosen) / 200 > 0.2
    assert sum(measured) / len(measured) < 0.02


def test_counts_do_not_depend_on_how_often_they_are_compressed(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(20, (500,), generator=generator)
    active = torch.rand(500, 3, generator=generator) < 0.2
    documents = torch.arange(500) // 25

    def found() -> list[object]:
        counts = TokenCounts(3, 20, seed=0)
        for start in range(0, 500, 50):
            part = slice(start, start + 50)
            counts.update(documents[part], tokens[part], tokens[part], active[part])
        return [(counts.detector(f, str), counts.top_token(f, str)) for f in range(3)]

    expected = found()
    monkeypatch.setattr("monosema.features.detectors.COMPRESS_AT", 10)
    assert found() == expected
