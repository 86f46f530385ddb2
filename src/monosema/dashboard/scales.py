"""Scales: from a quantity to a place in a picture, with round ticks. Plain arithmetic."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from monosema.dashboard.numbers import fixed, short

MOST_DECADES = 8
"""Ticks on a logarithmic axis of many decades; with more, decades are skipped."""

Number = int | float
"""A quantity or a place: whole or not."""


@dataclass(frozen=True)
class Tick:
    """A round value: its place and how it is written."""

    at: Number
    text: str


@dataclass(frozen=True)
class Scale:
    """Maps [low, high] of a quantity to [start, end] of a picture, evenly or evenly in its logarithm; `whole`: of a
    count, which has no ticks between its numbers."""

    low: Number
    high: Number
    start: Number
    end: Number
    logarithmic: bool = False
    whole: bool = False

    def at(self, value: Number) -> Number:
        """The place of `value`, to a tenth of a pixel; beyond the ends for values beyond them."""
        low, high, v = (math.log10(x) if self.logarithmic else x for x in (self.low, self.high, value))
        return round(self.start + (v - low) / (high - low) * (self.end - self.start), 1)

    def holds(self, value: Number) -> bool:
        """Whether `value` is within the ends."""
        return self.low <= value <= self.high

    def ticks(self, n: int = 5) -> tuple[Tick, ...]:
        """About `n` round values within the ends."""
        values = (
            _log_values(self.low, self.high) if self.logarithmic else _even_values(self.low, self.high, n, self.whole)
        )
        return tuple(Tick(self.at(value), text) for value, text in values)


def linear(values: Iterable[Number], start: Number, end: Number) -> Scale:
    """An even scale that holds all of `values`, with a little room; one value alone gets room too."""
    found = list(values)
    low, high = min(found), max(found)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return Scale(low - room, high + room, start, end)


def logarithmic(values: Iterable[Number], start: Number, end: Number) -> Scale:
    """A scale even in the logarithm that holds all of `values`, which are above 0, with a little room."""
    found = list(values)
    room = max((max(found) / min(found)) ** 0.08, 1.15)
    return Scale(min(found) / room, max(found) * room, start, end, logarithmic=True)


def _even_values(low: Number, high: Number, n: int, whole: bool) -> list[tuple[Number, str]]:
    rough = (high - low) / n
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * min((1, 2, 5, 10), key=lambda m: abs(math.log(m * power / rough)))
    step = max(step, 1) if whole else step
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(i * step, fixed(float(i * step), decimals) if i else "0") for i in range(first, last + 1)]


def _log_values(low: Number, high: Number) -> list[tuple[Number, str]]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for multiples in ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 4, 5, 6, 7, 8, 9)):
        values = [m * 10.0**d for d in decades for m in multiples if low <= m * 10.0**d <= high]
        if len(values) >= 3:
            return [(value, f"{value:,g}") for value in values[:: math.ceil(len(values) / MOST_DECADES)]]
    return [(value, short(float(value))) for value in (low, math.sqrt(low * high), high)]
