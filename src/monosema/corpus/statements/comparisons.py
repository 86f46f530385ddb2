"""Which of two numbers is larger: "forty two is larger than nineteen"."""

from dataclasses import dataclass
from math import isqrt
from typing import final

from monosema.core.config import require_range
from monosema.corpus.statements.numbers import LIMIT, in_words
from monosema.corpus.statements.source import Claim, Source

# Three of four say that the first is the larger. Were it half of them, neither number alone would tell anything of the
# truth, and a small model would stay at chance for thousands of steps.
WORDINGS = (
    "{high} is larger than {low}",
    "{high} is more than {low}",
    "{high} is greater than {low}",
    "{low} is smaller than {high}",
)


@final
@dataclass(frozen=True)
class Comparisons(Source):
    """Two different numbers from 0 to limit - 1. A group is two numbers, whatever is said of them."""

    limit: int = LIMIT
    about: str = "which of two numbers under a hundred is larger, in words"

    def __post_init__(self) -> None:
        require_range("limit", self.limit, 2, LIMIT)

    @property
    def wordings(self) -> int:
        return len(WORDINGS)

    def count(self, true: bool) -> int:  # noqa: ARG002
        return self.limit * (self.limit - 1) // 2

    def claim(self, true: bool, i: int, wording: int) -> Claim:
        # Pairs low < high in the order of high: 1 before high = 1, 2 for high = 2, ...
        high = (1 + isqrt(1 + 8 * i)) // 2
        low = i - high * (high - 1) // 2
        names = in_words(low), in_words(high)
        said = names if true else names[::-1]
        text = WORDINGS[wording].format(low=said[0], high=said[1])
        return Claim(text, f"{names[0]}, {names[1]}")
