"""Pairs, distractors and splits: what differs, what is independent, what stays together."""

from collections import Counter

import numpy as np
import pytest

from monosema.core.errors import ConfigError, DataError
from monosema.corpus.statements import (
    DISTRACTORS,
    TEMPLATES,
    Distractor,
    Pairs,
    Statements,
    Template,
    as_pairs,
    distract,
    generate,
    require_classes,
    split,
)

MADE = generate("comparisons", 400)


def statements(*texts: str, labels: list[int], groups: str) -> Statements:
    return Statements("mine", texts, np.array(labels, dtype=np.int64), tuple(groups))


@pytest.mark.parametrize("name", TEMPLATES)
def test_sides_differ_in_the_answer_alone(name: str):
    template, pairs = TEMPLATES[name], as_pairs(MADE, name)
    assert (pairs.labels == MADE.labels).all() and pairs.groups == MADE.groups
    for text, negative, positive in zip(MADE.texts, pairs.negative, pairs.positive, strict=True):
        assert text in positive
        assert positive == negative.removesuffix(template.negative) + template.positive
        assert negative.startswith(template.prompt(text)) and not template.prompt(text).endswith(" ")


def test_a_statement_is_put_in_as_it_stands():
    odd = statements("{answer} is {statement}", "b", labels=[1, 0], groups="ab")
    assert as_pairs(odd, "so: {statement}? {answer}").negative == ("so: {answer} is {statement}? false", "so: b? false")
    own = as_pairs(odd, Template("{answer}, {statement}", "nay", "yea"))
    assert own.positive[1] == "yea, b" and own.negative[1] == "nay, b"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{statement}?", r"holds \{answer\} 0 times"),
        ("{statement} {statement} {answer}", r"holds \{statement\} 2 times"),
        ("ask", "unknown template 'ask'"),
    ],
)
def test_a_template_without_its_slots_is_refused(template: str, said: str):
    with pytest.raises(ConfigError, match=said):
        as_pairs(MADE, template)


def test_a_template_needs_two_answers():
    with pytest.raises(ConfigError, match="both answers of the template are 'yes'"):
        Template("{statement} {answer}", "yes", "yes ")
    with pytest.raises(ConfigError, match="has an empty answer"):
        Template("{statement} {answer}", "", "yes")


@pytest.mark.parametrize(
    ("negative", "positive", "labels", "said"),
    [
        (("a no", "b no"), ("a yes",), [1, 0], r"not aligned \(2 negative, 1 positive, 2 labels, 2 groups\)"),
        (("a no", "b yes"), ("a yes", "b  yes"), [1, 0], "both sides of pair 2 are 'b yes'"),
        (("a no", ""), ("a yes", "b yes"), [1, 0], "the negative of row 2 is empty"),
        (("a no", "a no"), ("a yes", "a yes"), [1, 0], "'a yes' has label 1 in row 1 and 0 in row 2"),
        (("a no", "b no"), ("a yes", "b yes"), [1, -1], "the label of row 2 is -1"),
    ],
)
def test_pairs_that_are_none_are_refused(
    negative: tuple[str, ...], positive: tuple[str, ...], labels: list[int], said: str
):
    with pytest.raises(DataError, match=said):
        Pairs("mine", negative, positive, np.array(labels, dtype=np.int64), ("a", "b"))


@pytest.mark.parametrize("n", [40, 41, 42, 43])
@pytest.mark.parametrize("how", ["word", "speaker", "prefix"])
def test_a_distractor_is_in_every_text_and_independent_of_truth(how: str, n: int):
    made = generate("comparisons", n)
    done = distract(made, how, seed=4)
    assert (done.data.labels == made.labels).all() and done.data.groups == made.groups
    for text, before, label in zip(done.data.texts, made.texts, done.labels, strict=True):
        assert text == (DISTRACTORS[how].one if label else DISTRACTORS[how].zero).replace("{text}", before)
    cells = Counter(zip(made.labels.tolist(), done.labels.tolist(), strict=True))
    assert max(cells.values()) - min(cells.values()) <= 1
    assert (distract(made, how, seed=4).labels == done.labels).all()
    assert (distract(made, how, seed=5).labels != done.labels).any()


@pytest.mark.parametrize("how", ["speaker", "prefix"])
def test_what_goes_around_is_alike_on_both_sides(how: str):
    pairs = as_pairs(MADE, "qa")
    done = distract(pairs, how)
    for i, label in enumerate(done.labels):
        before = (DISTRACTORS[how].one if label else DISTRACTORS[how].zero).removesuffix("{text}")
        assert done.data.negative[i] == before + pairs.negative[i]
        assert done.data.positive[i] == before + pairs.positive[i]


def test_a_contrast_follows_the_label_of_the_distractor_on_the_positive_side():
    done = distract(as_pairs(MADE, "qa"), "contrast_word")
    for i, label in enumerate(done.labels):
        words = done.data.negative[i].split()[-2:], done.data.positive[i].split()[-2:]
        assert words == (["false", "shed"], ["true", "banana"]) if label else (["false", "banana"], ["true", "shed"])
    # Neither word tells which side is right: all four cells are equal.
    right = done.data.labels == done.labels
    assert right.mean() == 0.5


def test_a_contrast_needs_two_sides():
    with pytest.raises(ConfigError, match="difference between two sides: make pairs first"):
        distract(MADE, "contrast_word")
    with pytest.raises(ConfigError, match="belongs to the statement: distract the statements, then as_pairs"):
        distract(as_pairs(MADE, "qa"), "word")
    with pytest.raises(ConfigError, match=r"unknown distractor 'words'\. Did you mean 'word'"):
        distract(MADE, "words")
    with pytest.raises(ConfigError, match=r"holds \{text\} 0 times"):
        Distractor("no", "{text} yes")
    with pytest.raises(ConfigError, match="give two that differ"):
        Distractor("{text}", "{text}")


def test_a_distractor_goes_in_before_the_statement_is_completed():
    done = distract(MADE, "word")
    pairs = as_pairs(done.data, "qa")
    assert pairs.positive[0] == f"Q: {MADE.texts[0]} {'banana' if done.labels[0] else 'shed'} A: true"


@pytest.mark.parametrize("held_out", [0.1, 0.25, 0.5])
def test_a_split_keeps_groups_together_and_loses_nothing(held_out: float):
    made = as_pairs(generate("arithmetic", 2000), "qa")
    train, held = split(made, held_out, seed=3)
    assert not set(train.groups) & set(held.groups)
    assert sorted(train.positive + held.positive) == sorted(made.positive)
    assert abs(len(held) / len(made) - held_out) < 0.01
    other = split(made, held_out, seed=4)[1]
    assert set(other.positive) != set(held.positive)


def test_a_split_does_not_depend_on_the_order_of_rows():
    held = split(MADE, 0.25)[1]
    backwards = split(MADE.take(range(len(MADE) - 1, -1, -1)), 0.25)[1]
    assert sorted(held.texts) == sorted(backwards.texts)


def test_a_text_in_two_groups_is_refused_or_grouped():
    twice = statements("p", "q", "r", "q ", "s", "t", labels=[1, 0, 1, 0, 0, 1], groups="abcdef")
    with pytest.raises(DataError, match=r"rows 2 and 4 are the same text 'q' in two groups.*duplicates='group'"):
        split(twice, 0.5)
    sides_of_q = set()
    for seed in range(20):
        try:
            train, held = split(twice, 0.5, seed, duplicates="group")
        except DataError:  # a side of one class, which is refused too
            continue
        assert ("q" in train.texts) == ("q " in train.texts) != ("q" in held.texts) == ("q " in held.texts)
        sides_of_q.add("q" in train.texts)
    assert sides_of_q == {True, False}


def test_groups_that_share_texts_through_others_are_one():
    texts = ("p", "q", "q ", "r", "r ", "s", "t", "u")
    chain = statements(*texts, labels=[1, 0, 0, 1, 1, 0, 1, 0], groups="aabbccdd")
    for seed in range(5):
        train, held = split(chain, 0.2, seed, duplicates="group")
        assert train.texts == texts[:6] and held.texts == ("t", "u")


def test_pairs_that_share_one_side_are_duplicates_too():
    pairs = Pairs("mine", ("a no", "a no", "b no"), ("a yes", "a yea", "b yes"), np.array([1, 1, 0]), ("1", "2", "3"))
    with pytest.raises(DataError, match="the same text 'a no' in two groups"):
        split(pairs, 0.5)


@pytest.mark.parametrize(
    ("labels", "groups", "said"),
    [
        ([1, 1, 1, 1], "abcd", "the training part of mine: of 2 rows none has label 0, and at least 1 must"),
        ([1, 0, 1, 0], "aaaa", "mine is one group of 4 rows, which cannot be split"),
    ],
)
def test_a_side_without_both_classes_is_refused(labels: list[int], groups: str, said: str):
    with pytest.raises(DataError, match=said):
        split(statements("p", "q", "r", "s", labels=labels, groups=groups), 0.5)


def test_settings_of_a_split_are_checked():
    with pytest.raises(ConfigError, match="held_out is 1"):
        split(MADE, 1.0)


def test_rows_of_each_class_can_be_required():
    few = statements("p", "q", "r", labels=[1, 0, 1], groups="abc")
    require_classes(few, 1)
    with pytest.raises(DataError, match="mine: of 3 rows 1 has label 0, and at least 2 must: give more rows"):
        require_classes(few, 2)
