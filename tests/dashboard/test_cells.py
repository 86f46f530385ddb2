"""A finding in a cell: what stands beside it, and when it says that there is nothing in it."""

import math

import pytest

from monosema.core.findings import Finding
from monosema.dashboard.cells import SAME, WORSE, cell


def finding(value: float, low: float, high: float, control: float | None) -> Finding:
    return Finding("x", value, control, "redrawn", low, high, 12)


@pytest.mark.parametrize(
    ("control", "better", "mark"),
    [
        (0.5, "higher", ""),
        (0.91, "higher", SAME),
        (0.95, "higher", WORSE),
        (0.5, "lower", WORSE),
        (0.95, "lower", ""),
        (0.91, "neither", ""),
        (None, "higher", ""),
        (math.nan, "higher", ""),
    ],
)
def test_a_value_that_its_control_reaches_says_so(control: float | None, better: str, mark: str):
    assert cell(finding(0.9, 0.88, 0.92, control), 2, better).mark == mark


def test_value_control_and_interval_are_all_there():
    c = cell(finding(0.9, 0.88, 0.92, 0.5), 2)
    assert (c.value, c.control, c.interval, c.n) == ("0.90", "0.50", "0.88 .. 0.92", "12 documents")


def test_an_exact_value_has_no_interval_and_an_unknown_one_says_so():
    assert cell(finding(0.9, 0.9, 0.9, 0.5), 2).interval == ""
    assert cell(finding(0.9, math.nan, math.nan, 0.5), 2).interval == "no interval"


def test_a_skipped_control_is_empty_and_says_why():
    c = cell(finding(0.9, 0.88, 0.92, None), 2)
    assert (c.control, c.control_is) == ("", "redrawn")


def test_a_control_much_smaller_than_the_value_keeps_its_digits():
    assert cell(finding(10.5, 10.0, 11.0, 0.00746), 2).control == "0.00746"


def test_of_one_there_is_no_plural():
    assert cell(Finding("x", 0.9, 0.5, "redrawn", 0.9, 0.9, 1, "ledgers"), 2).n == "1 ledger"
