"""What is shown and how answers are read."""

import pytest

from monosema.features.explaining import prompts
from monosema.features.explaining.asking import UnreadableError


def test_levels_are_rounded_up_to_ten():
    # ceil(10 a / max): the faintest firing is shown as 1, and what exceeds the documents that explain as 10.
    assert prompts.levels([0.0, 0.001, 1.0, 1.01, 5.0, 10.0, 12.0], 10.0) == [0, 1, 1, 2, 5, 10, 10]


def test_marks():
    assert prompts.marked([" a", "«b", " c"], [True, False, True]) == "« a»<<b« c»"
    shown = prompts.explain([([" a", " b"], [0, 7])])[1]["content"]
    assert shown == 'Window 1:\n a« b»\nactive: " b" 7'


def test_nothing_but_fuzzing_and_explaining_shows_marks():
    windows = [[" a", " b"], [" c"]]
    for messages in (prompts.detect("x", windows), prompts.simulate("x", windows), prompts.intrude(windows)):
        assert "«" not in messages[1]["content"]
    assert "« a»" in prompts.fuzz("x", [([" a"], [True])])[1]["content"]


def test_answers_are_found_in_whatever_stands_around_them():
    assert prompts.read_explanation('```json\n{"explanation": " on \\n self "}\n``` I hope') == "on self"
    assert prompts.read_ratings('{"thought": "{no}"} {"ratings": [0, 10, 4.6]}', 3) == [0, 10, 5]
    assert prompts.read_window('{"window": 5}', 5) == 4
    assert prompts.read_activations('{"activations": [[1, 2], [3]]}', [2, 1]) == [[1, 2], [3]]


@pytest.mark.parametrize(
    ("read", "answer", "reason"),
    [
        (prompts.read_explanation, "it fires on self", "no JSON object with 'explanation'"),
        (prompts.read_explanation, '{"explanation": ""}', "not a sentence"),
        (prompts.read_explanation, '{"explanation": 3}', "not a sentence"),
        (prompts.read_explanation, '{"a":' * 5000, "no JSON object"),
        (lambda a: prompts.read_ratings(a, 2), '{"ratings": [1]}', "not as many as was asked for: 2"),
        (lambda a: prompts.read_ratings(a, 2), '{"ratings": [1, 11]}', "not a number from 0 to 10"),
        (lambda a: prompts.read_ratings(a, 2), '{"ratings": [1, true]}', "not a number from 0 to 10"),
        (lambda a: prompts.read_ratings(a, 2), '{"ratings": [1, NaN]}', "not a number from 0 to 10"),
        (lambda a: prompts.read_window(a, 5), '{"window": 0}', "number from 1 to 5"),
        (lambda a: prompts.read_window(a, 5), '{"window": "2"}', "number from 1 to 5"),
        (lambda a: prompts.read_activations(a, [2, 1]), '{"activations": [[1, 2]]}', "a list of 2 lists"),
        (lambda a: prompts.read_activations(a, [2, 1]), '{"activations": [[1], [2]]}', "2, 1 tokens"),
    ],
)
def test_answers_that_cannot_be_read(read, answer, reason):
    with pytest.raises(UnreadableError, match=reason):
        read(answer)
