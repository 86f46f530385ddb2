"""What a generator of statements is: claims that are numbered, so that no number gives the same one twice.

count(True) = 4,950    claim(True, 17, 0)  ->  "six is larger than two"       wording 0 of true claim 17
                       claim(True, 17, 1)  ->  "six is more than two"         the same in other words
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from math import gcd


@dataclass(frozen=True)
class Claim:
    """A text, the `group` of those that say the same thing or its opposite, and what else is known of it."""

    text: str
    group: str
    attributes: Mapping[str, int | str] = field(default_factory=dict)


class Source(ABC):
    """Claims of one kind. `about` is one line; `wordings` is in how many ways each can be said.

    For another generator derive from this, with a constructor that needs no arguments. Different numbers must
    give different texts: `generate` draws numbers without replacement.
    """

    about: str

    @property
    @abstractmethod
    def wordings(self) -> int: ...

    @abstractmethod
    def count(self, true: bool) -> int:
        """How many claims are true, or false."""

    @abstractmethod
    def claim(self, true: bool, i: int, wording: int) -> Claim:
        """True or false claim number `i`, from 0 to count(true) - 1, in wording 0 to wordings - 1."""


def spread(i: int, n: int) -> int:
    """Number `i` of an order of 0, ..., n - 1 in which every stretch is spread over all of them: so the first
    few claims of a source are not all about its first few subjects."""
    return i * _step(n) % n


@cache
def _step(n: int) -> int:
    """The first number from the golden section of `n` on that has no factor in common with it."""
    return next(step for step in range(round(n * 0.618), 2 * n + 1) if gcd(step, n) == 1)
