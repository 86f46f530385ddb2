"""Sums of two numbers: "seven plus eight is fifteen"; a false one is off by a little, or by ten."""

from dataclasses import dataclass
from functools import cached_property
from typing import final

from monosema.core.config import require_range
from monosema.corpus.statements.numbers import LIMIT, in_words
from monosema.corpus.statements.source import Claim, Source

WORDINGS = ("{a} plus {b} is {c}", "the sum of {a} and {b} is {c}", "{c} minus {b} is {a}")
ERRORS = (-10, -2, -1, 1, 2, 10)


@final
@dataclass(frozen=True)
class Arithmetic(Source):
    """a + b = c for a and b from 0 to limit - 1. A group is a and b, in either order, with any c.

    A false c is off by 1, 2 or 10 either way, never less than a or b.
    """

    limit: int = LIMIT // 2
    about: str = "sums and differences of numbers under fifty, in words"

    def __post_init__(self) -> None:
        require_range("limit", self.limit, 6, LIMIT // 2)

    @cached_property
    def _false(self) -> tuple[tuple[int, int, int], ...]:
        sums = ((i // self.limit, i % self.limit) for i in range(self.count(True)))
        cases = ((a, b, a + b + error) for a, b in sums for error in ERRORS)
        return tuple((a, b, c) for a, b, c in cases if max(a, b) <= c < LIMIT)

    @property
    def wordings(self) -> int:
        return len(WORDINGS)

    def count(self, true: bool) -> int:
        return self.limit**2 if true else len(self._false)

    def claim(self, true: bool, i: int, wording: int) -> Claim:
        a, b = divmod(i, self.limit)
        a, b, c = (a, b, a + b) if true else self._false[i]
        text = WORDINGS[wording].format(a=in_words(a), b=in_words(b), c=in_words(c))
        return Claim(text, f"{in_words(min(a, b))}, {in_words(max(a, b))}")
