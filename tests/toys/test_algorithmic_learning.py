"""Grading by hand; what a model learns and what it does not; modular addition by heart, and later by rule."""

import json

import pytest
import torch

from monosema.core.errors import ConfigError
from monosema.core.exhibits import as_json
from monosema.core.seeding import generator
from monosema.models import Edit, load, save_small, wrap
from monosema.toys import run_experiment
from monosema.toys.algorithmic.algorithmic_config import AlgorithmicConfig
from monosema.toys.algorithmic.grading import accuracy, answers, commonest, right, whole
from monosema.toys.algorithmic.grokking import first_above, grok, sums
from monosema.toys.algorithmic.learning import answer_loss, learn, schedule
from monosema.toys.algorithmic.recipes import GrokConfig, Recipe
from monosema.toys.algorithmic.tasks import NOT_ASKED, cumulative_sums, palindromes

TINY = Recipe(n_layers=1, d_model=32, n_heads=2, d_mlp=32, steps=150, batch_size=64)


def test_grading_by_hand():
    targets = torch.tensor([[NOT_ASKED, 1, 2], [NOT_ASKED, 1, 1]])
    given = torch.tensor([[0, 1, 2], [1, 1, 2]])
    assert right(given, targets).tolist() == [[False, True, True], [False, True, False]]
    value, low, high = accuracy(given, targets, generator(0, "tests"))
    assert (value, whole(given, targets)) == (0.75, 0.5) and low == 0.5 and high == 1.0


def test_the_commonest_answer_is_found_at_each_position_where_something_is_asked():
    targets = torch.tensor([[NOT_ASKED, 1, 2], [NOT_ASKED, 1, 0], [NOT_ASKED, NOT_ASKED, 0]])
    assert commonest(targets, torch.zeros(2, 3, dtype=torch.long)).tolist() == [[0, 1, 0], [0, 1, 0]]


def test_the_loss_counts_what_is_asked_alone():
    logits = torch.zeros(1, 2, 4)
    logits[0, 0, 0] = 100.0
    assert answer_loss(logits, torch.tensor([[NOT_ASKED, 3]])).item() == pytest.approx(1.3863, abs=1e-4)  # ln 4


def test_the_rate_warms_up_and_falls_to_zero():
    rates = [schedule(step, 100) for step in range(100)]
    assert rates[0] < rates[4] < rates[5] == 1.0 and rates[-1] < 1e-3


@pytest.mark.slow
def test_a_model_learns_the_task_and_not_answers_of_others():
    task = cumulative_sums(8)
    tokens = task.draw(500, generator(5, "tests"))
    targets = task.solve(tokens)
    of = {labels: learn(task, TINY, labels) for labels in ("true", "shuffled")}
    scores = {labels: right(answers(x.module, tokens), targets).double().mean().item() for labels, x in of.items()}
    majority = right(commonest(task.solve(task.draw(2000, generator(6, "tests"))), tokens), targets).double().mean()
    assert scores["true"] > 0.95 and scores["shuffled"] < float(majority) + 0.05
    again = learn(task, TINY)
    assert all(
        torch.equal(a, b) for a, b in zip(of["true"].module.parameters(), again.module.parameters(), strict=True)
    )
    assert of["true"].losses[-1] < 0.3 * of["true"].losses[0]


@pytest.mark.slow
def test_a_trained_model_is_read_edited_and_kept(tmp_path):
    task = palindromes(2)
    module = learn(task, TINY).module
    model = wrap(module, "palindromes")
    tokens = task.draw(8, generator(0, "tests"))
    seen = model.run(tokens, ["attn_pattern.0", "logits"])
    blind = model.run(tokens, ["logits"], [Edit("attn_out.0", torch.zeros_like)])["logits"]
    assert not torch.equal(blind, seen["logits"])
    # Without attention the last token says the same whatever came before.
    assert torch.allclose(blind[:, -1], blind[:1, -1].expand(8, -1), atol=1e-5)
    save_small(module, tmp_path)
    assert torch.equal(load(tmp_path).run(tokens, ["logits"])["logits"], seen["logits"])


def test_the_pairs_are_split_once_and_dealt_out_anew_as_a_permutation():
    config = GrokConfig(modulus=7, share=0.5)
    true, shuffled = sums(config), sums(config, "shuffled")
    assert int(true.train.sum()) == 24 and torch.equal(true.train, shuffled.train)
    assert true.targets.tolist() == [(a + b) % 7 for a in range(7) for b in range(7)]
    assert torch.equal(true.targets.sort().values, shuffled.targets.sort().values)
    assert not torch.equal(true.targets, shuffled.targets)


@pytest.mark.slow
def test_modular_addition_is_known_by_heart_before_by_rule_and_never_when_there_is_no_rule():
    config = GrokConfig(modulus=29, share=0.7, steps=300)
    true, shuffled = grok(config), grok(config, "shuffled")
    heart, rule = first_above(true.steps, true.train), first_above(true.steps, true.test)
    assert heart is not None and rule is not None and heart < rule
    assert shuffled.train[-1] > 0.5 and max(shuffled.test) < 0.2
    assert (true.steps[0], true.steps[1], true.steps[-1]) == (0, 25, 300)


@pytest.mark.slow
def test_the_experiment_says_the_numbers_of_its_findings_and_says_them_again():
    config = AlgorithmicConfig(
        tasks=("cumulative_sums", "sorted_lists"), steps_share=0.02, n_test=200, grok=GrokConfig(7, 0.5, steps=20)
    )
    exhibit = run_experiment(config)
    found = exhibit.findings["cumulative_sums"]
    assert f"cumulative sums {found.value:.1%}" in exhibit.answer[0]
    assert found.control is not None and found.n == 200 and found.low <= found.value <= found.high
    assert {"modular_addition", "modular_addition_without_decay"} <= exhibit.findings.keys()
    assert json.dumps(as_json(run_experiment(config))) == json.dumps(as_json(exhibit))


def test_an_unknown_task_names_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown task 'sort'\. Did you mean 'sorted_lists'"):
        AlgorithmicConfig(tasks=("sort",))
    with pytest.raises(ConfigError, match="n_heads"):
        Recipe(d_model=30, n_heads=4)
