"""Claims, some of them denied: "forty two is not larger than nineteen"."""

from dataclasses import dataclass, field
from typing import final

from monosema.core.config import require_range
from monosema.corpus.statements.comparisons import Comparisons
from monosema.corpus.statements.source import Claim, Source, spread


@final
@dataclass(frozen=True)
class Negations(Source):
    """The claims of a source whose texts say "is", one of `every` with "is not" instead.

    Attributes: `negated`, and `affirmed`, the truth without the "not". A row is true where just one of them is 1. With
    one of every two, neither of them alone tells the truth. A group is that of the claim.
    """

    every: int = 2
    of: Source = field(default_factory=Comparisons)
    about: str = "comparisons, half of them with not"

    def __post_init__(self) -> None:
        require_range("every", self.every, 2)

    @property
    def wordings(self) -> int:
        return self.of.wordings

    def count(self, true: bool) -> int:  # noqa: ARG002
        return self.every * (min(self.of.count(True), self.of.count(False)) // (self.every - 1))

    def claim(self, true: bool, i: int, wording: int) -> Claim:
        turn, place = divmod(i, self.every)
        negated = int(place == 0)
        affirmed = true != bool(negated)
        number = turn if negated else turn * (self.every - 1) + place - 1
        claim = self.of.claim(affirmed, spread(number, self.of.count(affirmed)), wording)
        text = claim.text.replace(" is ", " is not ", 1) if negated else claim.text
        return Claim(text, claim.group, {**claim.attributes, "negated": negated, "affirmed": int(affirmed)})
