"""Killing frequent features: what it does exactly, and whether it pays, worked out by hand.

The two tokens of `toy.alternating` take turns, so that a feature that fires on one of them has
frequency 1/2 and one that fires on both has frequency 1.
"""

import json
import math

import pytest
import torch

from monosema.core.errors import ConfigError, DataError
from monosema.core.findings import Finding
from monosema.evaluation import Control, PruneConfig, PruneStudy, ScoreConfig, prune
from monosema.evaluation.comparing import bracket
from monosema.evaluation.killing import kill_above, kill_same_frequency, split_documents
from monosema.evaluation.measuring import prepare
from monosema.evaluation.prune_study import verdict_of

TEXT = tuple(2 * (letter + letter.upper()) + letter for letter in "abcdefghijkl")
LOSS = math.log(4 / 3)


@pytest.fixture
def sparse(toy):
    """Writes token 0 and nothing for token 1: L0 1/2, half of the loss recovered."""
    return toy.ReluDictionary(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0]]), torch.zeros(2))


@pytest.fixture
def padded(toy):
    """Exact, with three features that always fire and write nothing: L0 4, all of the loss recovered."""
    W_enc = torch.cat([torch.eye(2), torch.ones(3, 2)])
    return toy.ReluDictionary(W_enc, torch.cat([torch.eye(2), torch.zeros(3, 2)]), torch.zeros(2))


@pytest.fixture
def leaning(toy):
    """Exact in its logits through one feature that always fires; four more fire half of the time and
    write nothing: L0 3, all of the loss recovered, and none without the first."""
    W_enc = torch.cat([torch.tensor([[1.0, 0.5]]), torch.eye(2), torch.eye(2)])
    W_dec = torch.cat([torch.tensor([[2.0, -2.0]]), torch.zeros(4, 2)])
    return toy.ReluDictionary(W_enc, W_dec, torch.tensor([-1.5, 1.5]))


def study(toy, dictionaries, control=None, **config):
    config = {"thresholds": (0.75,)} | config
    return prune(dictionaries, toy.alternating(), toy.held_out(*TEXT), control, PruneConfig(**config))


def point(result, dictionary, above=0.75):
    return next(p for p in result.points if (p.dictionary, p.above) == (dictionary, above))


def test_l0_falls_by_the_killed_frequencies_exactly(toy, padded, leaning):
    thresholds = (0.9, 0.65, 0.5, 0.1)
    result = study(toy, {"padded": padded, "leaning": leaning}, thresholds=thresholds)
    for name in ("padded", "leaning"):
        before = point(result, name, None).findings["l0"].value
        cuts = [p for p in result.points if p.dictionary == name and p.above is not None]
        assert cuts
        for cut in cuts:
            assert cut.findings["l0"].value == pytest.approx(before - cut.killed_frequency, abs=1e-12)
    assert [point(result, "padded", t).n_killed for t in thresholds] == [3, 3, 4, 5]
    assert point(result, "padded", 0.1).findings["l0"].value == 0.0


def test_pruning_nothing_is_no_point_of_its_own(toy, sparse):
    assert [p.above for p in study(toy, {"sparse": sparse}).points] == [None]


def test_features_that_do_nothing_are_worth_killing(toy, sparse, padded):
    # On 5 tokens a A a A a a document's L0s are 3/5 (sparse), 1 (pruned), 4 (padded). The four counted
    # predictions, two from either token, recover 1/2, 1 and 1.
    result = study(toy, {"sparse": sparse, "padded": padded})
    pruned = point(result, "padded")
    line = 0.5 + 0.5 * math.log(1 / 0.6) / math.log(4 / 0.6)
    assert point(result, "sparse", None).findings["loss_recovered_zero"].value == pytest.approx(0.5)
    assert pruned.findings["loss_recovered_zero"].value == pytest.approx(1.0)
    assert pruned.differences["pruned"].value == pytest.approx(1 - line, abs=1e-6)
    assert (result.verdict, result.best) == ("yes", ("padded", 0.75))
    assert result.answer.startswith("Yes, pruning a denser dictionary beats a higher penalty")
    # The next denser one as trained is itself with nothing killed, which it equals.
    assert pruned.differences["denser"].value == pytest.approx(0.0, abs=1e-6)
    assert "does not beat the next denser one" in result.answer


def test_a_feature_that_carries_the_signal_is_not(toy, sparse, leaning):
    result = study(toy, {"sparse": sparse, "leaning": leaning})
    pruned = point(result, "leaning")
    assert point(result, "leaning", None).findings["loss_recovered_zero"].value == pytest.approx(1.0, abs=1e-5)
    assert (pruned.n_killed, pruned.findings["l0"].value) == (1, pytest.approx(2.0))
    assert pruned.findings["loss_recovered_zero"].value < 0
    assert result.verdict == "no"
    assert result.answer.startswith("No, a higher penalty beats pruning")


def test_the_random_control_tells_frequent_features_from_any(toy, sparse, padded):
    # Killing random features of the same summed frequency sometimes kills the two that matter.
    result = study(toy, {"sparse": sparse, "padded": padded})
    pruned = point(result, "padded")
    assert pruned.same_frequency["l0"].value == pytest.approx(1.0, abs=0.61)
    difference = pruned.differences["pruned"]
    assert difference.control_is.startswith("random features of the same summed frequency killed instead")


def test_one_dictionary_has_nothing_to_be_compared_with(toy, padded):
    result = study(toy, {"padded": padded})
    assert (result.verdict, result.best, result.best_point()) == ("no comparison", None, None)
    assert result.answer.startswith("No comparison: no pruned dictionary")
    assert point(result, "padded").differences == {}


def test_the_randomised_model_stands_beside_every_point(toy, sparse, padded):
    control = Control({"padded": padded, "sparse": sparse}, toy.alternating(), "the same again")
    result = study(toy, {"sparse": sparse, "padded": padded, "alone": padded}, control)
    pruned = point(result, "padded")
    assert {name: f.control for name, f in pruned.findings.items()} == {n: f.value for n, f in pruned.findings.items()}
    assert pruned.differences["randomised"].value == pruned.differences["pruned"].value
    alone = point(result, "alone").findings["mse"]
    assert (alone.control, alone.control_is) == (None, "the control has no dictionary 'alone'")
    without = study(toy, {"sparse": sparse, "padded": padded})
    assert point(without, "padded").findings["mse"].control_is == "skipped by the user"


def test_a_control_with_nothing_to_recover_reads_as_undefined(toy, sparse, padded):
    # A model that always says one half: no ablation costs it anything.
    blind = toy.LinearModel(0.5 * torch.eye(2), torch.eye(2), torch.zeros(2, 2), name="blind")
    control = Control({"padded": padded, "sparse": sparse}, blind, "a model that has learnt nothing")
    result = study(toy, {"sparse": sparse, "padded": padded}, control)
    assert math.isnan(point(result, "padded").differences["randomised"].value)
    assert "the same on the randomised model undefined" in result.answer
    nothing = prune(
        {"sparse": sparse, "padded": padded}, blind, toy.held_out(*TEXT), None, PruneConfig(thresholds=(0.75,))
    )
    assert (nothing.verdict, nothing.best) == ("no comparison", None)


def test_the_judging_half_chooses_nothing(toy, sparse, padded):
    # Rewriting every judging document moves its scores, and not which features are killed.
    model, tokens, config = toy.alternating(), toy.held_out(*TEXT), PruneConfig(thresholds=(0.65,))
    halves = split_documents(prepare({"d": padded}, model, tokens, config.score), config.score.seed)
    before = prune({"sparse": sparse, "padded": padded}, model, tokens, None, config)
    tokens.tokens[torch.isin(tokens.documents, halves.judging)] = 1  # token 1 throughout: rate 1 there
    after = prune({"sparse": sparse, "padded": padded}, model, tokens, None, config)
    assert [(p.dictionary, p.n_killed) for p in after.points] == [(p.dictionary, p.n_killed) for p in before.points]
    assert point(after, "padded", 0.65).findings["loss_spliced"].value > 1.0
    assert point(before, "padded", 0.65).findings["loss_spliced"].value == pytest.approx(LOSS)
    # The other way about: where the choosing half is rewritten, the feature of token 1 dies too.
    tokens = toy.held_out(*TEXT)
    tokens.tokens[torch.isin(tokens.documents, halves.choosing)] = 1
    chosen = prune({"sparse": sparse, "padded": padded}, model, tokens, None, config)
    assert point(chosen, "padded", 0.65).n_killed == point(before, "padded", 0.65).n_killed + 1


def test_halves_are_disjoint_complete_and_balanced(toy, padded):
    tokens = toy.held_out("aAaAaAaA", "bBcCdDeE", "fFfFgGhH")
    halves = split_documents(prepare({"d": padded}, toy.alternating(), tokens, ScoreConfig()), 0)
    sizes = {0: 8, 1: 2, 2: 2, 3: 2, 4: 2, 5: 4, 6: 2, 7: 2}
    first, second = halves.choosing.tolist(), halves.judging.tolist()
    assert sorted(first + second) == list(range(8))
    assert sum(sizes[d] for d in first) == sum(sizes[d] for d in second) == 12


def test_too_few_documents_are_an_error(toy, padded):
    with pytest.raises(DataError, match="at least 4 held-out documents, got 3"):
        prune({"d": padded}, toy.alternating(), toy.held_out("aAa", "bBb", "cCc"), None, PruneConfig())


@pytest.mark.parametrize(
    ("thresholds", "message"), [((), "is empty"), ((0.1, 0.1), "repeats"), ((1.0,), "threshold is 1.0")]
)
def test_thresholds_that_cannot_work(thresholds, message):
    with pytest.raises(ConfigError, match=message):
        PruneConfig(thresholds=thresholds)


def test_random_kills_match_in_summed_frequency():
    rates = torch.rand(200, generator=torch.Generator().manual_seed(0)).double() ** 6
    rates[:50] = 0.0
    killed = kill_above(rates, 0.2)
    for seed in range(5):
        drawn = kill_same_frequency(rates, killed, torch.Generator().manual_seed(seed))
        assert 0.98 < float(rates[drawn].sum() / rates[killed].sum()) < 1 + 1e-9
        assert not drawn[:50].any()
        assert not torch.equal(drawn, killed)


def test_the_bracket_needs_one_on_either_side():
    trained = {"a": 10.0, "b": 40.0, "c": 90.0, "silent": 0.0}
    assert bracket(50.0, trained) == ("b", "c")
    assert bracket(40.0, trained) == ("b", "c")
    assert bracket(90.0, trained) is None
    assert bracket(5.0, trained) is None


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.1, 0.2, "yes"), (-0.2, -0.1, "no"), (-0.1, 0.1, "undecided"), (math.nan, math.nan, "undecided")],
)
def test_the_verdict_is_where_the_interval_lies(low, high, verdict):
    assert verdict_of(Finding("difference", 0.0, None, "", low, high, 9)) == verdict
    assert verdict_of(None) == "no comparison"


def test_json_and_back_is_the_same(toy, sparse, padded):
    result = study(toy, {"sparse": sparse, "padded": padded})
    again = PruneStudy.from_json(json.loads(json.dumps(result.to_json(), allow_nan=False)))
    assert again == result
    assert again.best_point() == point(result, "padded")
