"""Numbers as a reader sees them."""

import math

import pytest

from monosema.dashboard.numbers import MINUS, decimals_for, fixed, percent, short, signed


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        ((0.97, 0.91), 3),
        ((12.5, 200.25), 1),
        ((0.0123,), 4),
        ((4123.0,), 0),
        ((0.9, 0.0001), 4),
        ((), 3),
        ((math.nan, 0.0), 3),
    ],
)
def test_a_row_gets_the_decimals_its_values_bear(values: tuple[float, ...], decimals: int):
    assert decimals_for(values) == decimals


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.9, 3, "0.900"),
        (-41.5, 2, f"{MINUS}41.50"),
        (12345.6, 0, "12,346"),
        (0.0000123, 3, f"1.2e{MINUS}5"),
        (-0.0, 2, "0.00"),
        (math.nan, 2, "undefined"),
        (-math.inf, 2, f"{MINUS}∞"),
    ],
)
def test_fixed(value: float, decimals: int, text: str):
    assert fixed(value, decimals) == text


def test_signs_are_written_where_a_difference_is_meant():
    assert [signed(v, 2) for v in (0.5, -0.5, 0.0)] == ["+0.50", "\u22120.50", "0.00"]


def test_a_number_by_itself_has_three_digits():
    assert [short(v) for v in (2.5, 0.01234, 123.4, 12345.0, 0.0)] == ["2.50", "0.0123", "123", "12,345", "0"]


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0.3, "30%"), (1.0, "100%"), (0.000345, "0.034%"), (1e-7, "0.00001%"), (0.0, "0%"), (0.0156, "1.6%")],
)
def test_percentages_never_round_to_nothing(fraction: float, text: str):
    assert percent(fraction) == text
