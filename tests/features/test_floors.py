"""The n-gram floor: finds token and pair rules, knows when there is none, and is judged on other documents."""

import pytest
import torch

from monosema.features.floors import Firing, Grammar, _credibility, _shrunk

WORDS = [f"w{i}" for i in range(8)]
N_DOCUMENTS, LENGTH = 60, 50


@pytest.fixture(scope="module")
def text():
    random = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, 8, (N_DOCUMENTS * LENGTH,), generator=random)
    previous = torch.cat([torch.tensor([-1]), tokens[:-1]])
    previous[::LENGTH] = -1
    return tokens, previous, torch.arange(N_DOCUMENTS).repeat_interleave(LENGTH)


def floors(text, *acts):
    dense = torch.stack(acts).float()
    feature, at = dense.nonzero(as_tuple=True)
    return Grammar(*text, d_vocab=8).floors(Firing(feature, at, dense[feature, at], len(acts)), WORDS)


def test_a_token_rule_a_pair_rule_and_noise(text):
    tokens, previous, _ = text
    random = torch.Generator().manual_seed(1)
    noise = (torch.rand(len(tokens), generator=random) < 0.1) * torch.rand(len(tokens), generator=random)
    on_token, on_pair = 2.0 * (tokens == 3), 1.5 * ((tokens == 3) & (previous == 5))
    token, pair, nothing, dead = floors(text, on_token, on_pair, noise, torch.zeros(len(tokens)))
    assert token.r == pytest.approx(1.0, abs=1e-6) and token.f1 == 1.0
    assert pair.r == pytest.approx(1.0, abs=1e-2) and pair.f1 == 1.0
    assert token.text.startswith("'w3' (") and "after" not in token.text
    assert "'w3' after 'w5' (" in pair.text
    assert nothing.r is not None and abs(nothing.r) < 0.15
    assert (dead.text, dead.r, dead.f1) == ("", None, None)


def test_a_token_alone_does_not_explain_a_pair(text):
    # Without the token before, the best there is: fires on one in eight of w3. F1 of "always on w3" is 2/9.
    tokens, previous, documents = text
    on_pair = 1.0 * ((tokens == 3) & (previous == 5))
    (pair,) = floors(text, on_pair)
    blind = (tokens, torch.full_like(previous, -1), documents)
    (token,) = floors(blind, on_pair)
    assert pair.f1 == 1.0 and token.f1 == pytest.approx(2 / 9, abs=0.1) and token.r < 0.5


def test_what_is_judged_was_not_fitted(text):
    # A feature of one judging document alone: nothing that was fitted says where it fires.
    tokens, previous, documents = text
    judged = Grammar(*text, d_vocab=8).judges
    assert 0.05 < float(judged.float().mean()) < 0.4
    assert all(len(judged[documents == d].unique()) == 1 for d in range(N_DOCUMENTS))
    (found,) = floors(text, 1.0 * (judged & (tokens == 3)))
    assert found.text == "" and found.f1 == 0.0
    # And one that fires on fitted documents alone is not scored.
    (found,) = floors(text, 1.0 * (~judged & (tokens == 3)))
    assert found.text.startswith("'w3'") and (found.r, found.f1) == (None, None)
    del previous


def test_shrinkage_by_hand():
    # Two groups of four: means 1 and 3, within variance 0.5, between 2: kappa 1/4.
    kappa = _credibility(torch.tensor([0.5]).double(), torch.tensor([2.0]).double())
    assert kappa.item() == 0.25
    shrunk = _shrunk(torch.tensor([[4.0, 12.0]]), torch.tensor([4.0, 4.0]), torch.tensor([[2.0]]), kappa)
    assert shrunk.tolist() == [[pytest.approx(4.5 / 4.25), pytest.approx(12.5 / 4.25)]]
    # Groups that do not differ shrink to the mean.
    none = _credibility(torch.tensor([0.5]).double(), torch.tensor([-1.0]).double())
    shrunk = _shrunk(torch.tensor([[4.0, 12.0]]), torch.tensor([4.0, 4.0]), torch.tensor([[2.0]]), none)
    assert shrunk.tolist() == [[pytest.approx(2.0), pytest.approx(2.0)]]


def test_no_floor_depends_on_its_neighbours(text, monkeypatch):
    tokens, previous, _ = text
    acts = [1.0 * (tokens == i) * (previous != i) for i in range(8)]
    together = floors(text, *acts)
    monkeypatch.setattr("monosema.features.floors.CELLS", 1)
    assert floors(text, *acts) == together


def test_one_document_has_nothing_to_judge_or_to_fit_on():
    tokens = torch.tensor([1, 2, 1, 2])
    grammar = Grammar(tokens, tokens.roll(1), torch.zeros(4, dtype=torch.int64), d_vocab=8)
    (found,) = grammar.floors(Firing(torch.zeros(2).long(), torch.tensor([0, 2]), torch.ones(2), 1), WORDS)
    assert found.r is None and found.f1 is None
