"""The benchmarks keep the habits of the house: the tests of `tests/test_style.py`, on their files."""

import pytest

from tests import test_style

FILES = sorted((test_style.ROOT / "benchmarks").rglob("*.py"))
HABITS = (
    test_style.test_everything_can_be_read_at_one_sitting,
    test_style.test_configs_are_frozen,
    test_style.test_what_is_never_written,
    test_style.test_nothing_is_left_for_later,
    test_style.test_a_file_is_named_for_what_it_holds,
    test_style.test_a_file_says_what_it_is,
)


def test_there_are_benchmarks():
    assert len(FILES) > 10


@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.__name__)
def test_benchmarks_keep_the_habits_of_the_house(habit, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(test_style, "SOURCES", FILES)
    monkeypatch.setattr(test_style, "TESTS", [])
    habit()
