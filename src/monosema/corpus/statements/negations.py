"""Claims, half of them denied: "forty two is not larger than nineteen"."""

from dataclasses import dataclass, field
from typing import final

from monosema.corpus.statements.comparisons import Comparisons
from monosema.corpus.statements.source import Claim, Source, spread


@final
@dataclass(frozen=True)
class Negations(Source):
    """The claims of a source whose texts say "is", and each of them with "is not".

    Attributes: `negated`, and `affirmed`, the truth without the "not". A row is true where just one of them is 1,
    and neither of them alone tells the truth. A group is that of the claim.
    """

    of: Source = field(default_factory=Comparisons)
    about: str = "comparisons, half of them with not"

    @property
    def wordings(self) -> int:
        return self.of.wordings

    def count(self, true: bool) -> int:  # noqa: ARG002
        return 2 * min(self.of.count(True), self.of.count(False))

    def claim(self, true: bool, i: int, wording: int) -> Claim:
        i, negated = divmod(i, 2)
        affirmed = true != bool(negated)
        claim = self.of.claim(affirmed, spread(i, self.of.count(affirmed)), wording)
        text = claim.text.replace(" is ", " is not ", 1) if negated else claim.text
        return Claim(text, claim.group, {**claim.attributes, "negated": negated, "affirmed": int(affirmed)})
