"""Two parts joined by a word: "six is larger than two and nine is smaller than one".

first  second   and  or  xor
  1      1       1    1   0
  1      0       0    1   1        the truth table, known for every row as the attributes first and second
  0      1       0    1   1
  0      0       0    0   0
"""

from dataclasses import dataclass, field
from typing import Literal, final

from monosema.corpus.statements.comparisons import Comparisons
from monosema.corpus.statements.source import Claim, Source, spread

Operator = Literal["and", "or", "xor"]

TRUE_CELLS: dict[Operator, tuple[tuple[int, int], ...]] = {
    "and": ((1, 1),),
    "or": ((1, 1), (1, 0), (0, 1)),
    "xor": ((1, 0), (0, 1)),
}
CELLS = ((1, 1), (1, 0), (0, 1), (0, 0))
TEXTS: dict[Operator, str] = {
    "and": "{} and {}",
    "or": "{} or {}",
    "xor": "either {} or {} but not both",
}


@final
@dataclass(frozen=True)
class Compounds(Source):
    """Two different parts of one source, in one wording. The cells of the truth table that make a row true come
    equally often among the true rows, the others among the false: with xor each of the four is a quarter.

    A group is the two parts' groups: one part alone can stand on both sides of a split.
    """

    operator: Operator = "and"
    parts: Source = field(default_factory=Comparisons)
    about: str = "two comparisons joined by and"

    @property
    def wordings(self) -> int:
        return self.parts.wordings

    @property
    def _parts(self) -> int:
        return min(self.parts.count(True), self.parts.count(False))

    def _cells(self, true: bool) -> tuple[tuple[int, int], ...]:
        return tuple(cell for cell in CELLS if (cell in TRUE_CELLS[self.operator]) == true)

    def count(self, true: bool) -> int:
        return len(self._cells(true)) * self._parts * (self._parts - 1)

    def _part(self, true: bool, i: int, wording: int) -> Claim:
        return self.parts.claim(true, spread(i, self.parts.count(true)), wording)

    def claim(self, true: bool, i: int, wording: int) -> Claim:
        cells = self._cells(true)
        i, cell = divmod(i, len(cells))
        one, other = divmod(i, self._parts - 1)
        first, second = cells[cell]
        left = self._part(bool(first), one, wording)
        right = self._part(bool(second), other + (other >= one), wording)
        group = " & ".join(sorted((left.group, right.group)))
        return Claim(TEXTS[self.operator].format(left.text, right.text), group, {"first": first, "second": second})
