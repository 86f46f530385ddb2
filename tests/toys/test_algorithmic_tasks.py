"""The tasks: answers worked by hand, and on drawn sequences those of a plain program written here."""

from collections import Counter

import pytest
import torch

from monosema.core.errors import DataError
from monosema.core.seeding import generator
from monosema.toys.algorithmic.tasks import (
    NOT_ASKED,
    TASKS,
    Task,
    balanced_brackets,
    caesar,
    cumulative_sums,
    digit_sums,
    first_unique,
    modular_addition,
    palindromes,
    sorted_lists,
    trigrams,
)

BY_HAND = [
    (palindromes(2), "1 2 2 1 ?", ". . . . yes"),
    (palindromes(2), "1 2 2 3 ?", ". . . . no"),
    (first_unique(6), "a b a c b d", "a a b b c c"),
    (first_unique(4), "a a b b", "a none b none"),
    (digit_sums(2), "9 1 + 3 0 = 2 2", ". . . . . 2 2 0"),  # 19 + 3 = 022, units first
    (digit_sums(2), "9 9 + 1 0 = 0 0", ". . . . . 0 0 1"),  # 99 + 1 = 100
    (sorted_lists(3), "7 2 7 > 2 7", ". . . 2 7 7"),
    (cumulative_sums(5), "up down down down up", "above level below below below"),
    (caesar(4), "b a z c", ". b a d"),
    (balanced_brackets(4), "( ) ( ) ?", ". . . . yes"),
    (balanced_brackets(4), "( ) ) ( ?", ". . . . no"),  # as many of each, out of order
    (balanced_brackets(4), "( ( ( ) ?", ". . . . no"),
    (modular_addition(7), "5 4 =", ". . 2"),
]


@pytest.mark.parametrize(("task", "asked", "answer"), BY_HAND)
def test_answers_by_hand(task: Task, asked: str, answer: str):
    tokens = task.encode(asked)
    assert task.decode(task.solve(tokens)[0]) == answer


def plain(task: Task, words: list[str]) -> list[str]:
    """The answers by another way: word by word, '.' where nothing is asked."""
    silent = ["."] * (len(words) - 1)
    match task.name:
        case "palindromes":
            return [*silent, "yes" if words[:-1] == words[-2::-1] else "no"]
        case "first_unique":
            found = []
            for t in range(len(words)):
                counts = Counter(words[: t + 1])
                found.append(next((w for w in words[: t + 1] if counts[w] == 1), "none"))
            return found
        case "digit_sums":
            a, b = ("".join(reversed(part)) for part in " ".join(words).replace(" ", "").split("=")[0].split("+"))
            total = str(int(a) + int(b)).zfill(len(a) + 1)[::-1]
            return ["."] * (2 * len(a) + 1) + list(total)
        case "sorted_lists":
            numbers = sorted(map(int, words[: words.index(">")]))
            return ["."] * len(numbers) + list(map(str, numbers))
        case "cumulative_sums":
            heights = [sum(1 if w == "up" else -1 for w in words[: t + 1]) for t in range(len(words))]
            return ["above" if h > 0 else "below" if h < 0 else "level" for h in heights]
        case "caesar":
            shift = ord(words[0]) - ord("a")
            return ["."] + [chr((ord(w) - ord("a") + shift) % 26 + ord("a")) for w in words[1:]]
        case "balanced_brackets":
            text = "".join(words[:-1])
            while "()" in text:
                text = text.replace("()", "")
            return [*silent, "no" if text else "yes"]
        case "modular_addition":
            return [".", ".", str((int(words[0]) + int(words[1])) % 113)]
    raise AssertionError(task.name)


@pytest.mark.parametrize("name", [name for name in TASKS if name != "trigrams"])
def test_drawn_sequences_are_answered_as_a_plain_program_answers(name: str):
    task = TASKS[name]()
    tokens = task.draw(200, generator(0, "tasks"))
    assert tokens.shape == (200, task.length) and int(tokens.max()) < task.d_vocab
    for row, target in zip(tokens, task.solve(tokens), strict=True):
        assert task.decode(target).split() == plain(task, task.decode(row).split())


def test_trigrams_hold_wherever_their_pair_occurs_and_neither_half_gives_them_away():
    task = trigrams()
    tokens = task.draw(500, generator(0, "tasks"))
    targets = task.solve(tokens)
    asked = targets[:, :-1] != NOT_ASKED
    assert asked.sum() > 1000
    assert torch.equal(targets[:, :-1][asked], tokens[:, 1:][asked])
    at = targets[:, 1:] != NOT_ASKED
    columns = (tokens[:, :-1][at], tokens[:, 1:][at], targets[:, 1:][at])
    pairs = {(a, b): c for a, b, c in zip(*(column.tolist() for column in columns), strict=True)}
    assert len(pairs) == 16
    for half in (0, 1):
        thirds = {pair[half]: {c for other, c in pairs.items() if other[half] == pair[half]} for pair in pairs}
        assert all(len(found) > 1 for found in thirds.values())


@pytest.mark.parametrize("name", ["palindromes", "balanced_brackets"])
def test_yes_and_no_are_both_common(name: str):
    task = TASKS[name]()
    answers = task.solve(task.draw(2000, generator(0, "tasks")))[:, -1]
    share = (answers == task.words.index("yes")).double().mean().item()
    assert 0.4 < share < 0.65


def test_a_spoilt_palindrome_is_off_in_one_pair():
    task = palindromes()
    digits = task.draw(500, generator(0, "tasks"))[:, :-1]
    wrong = (digits[:, :5] != digits.flip(1)[:, :5]).sum(1)
    assert set(wrong.tolist()) == {0, 1}


def test_the_same_seed_draws_the_same():
    for make in TASKS.values():
        task = make()
        one, same, other = (task.draw(50, generator(seed, "tasks")) for seed in (0, 0, 1))
        assert torch.equal(one, same) and not torch.equal(one, other)


def test_a_word_that_the_task_does_not_have_is_named():
    with pytest.raises(DataError, match=r"'x' is no word of cumulative_sums\. Its words: up down"):
        cumulative_sums().encode("up x")
