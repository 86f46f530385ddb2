"""What probes are fitted on: activations with labels, one row a statement or one row a pair.

    Labelled    x  [n, d]    y [n]    1: true
    Contrast    x0 [n, d]             the statement completed by "false" or "no"
                x1 [n, d]    y [n]    the same, completed by "true" or "yes"; 1: x1 is right

`groups` names for every row what it belongs to (a fact, a statement with its paraphrases). Rows of one group are not
independent: where there are groups, intervals come from resampling groups.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Bool, Float, Num
from torch import Tensor

from monosema.core.errors import DataError

Groups = tuple[str, ...]


@final
@dataclass(frozen=True, eq=False)
class Labelled:
    """Raises DataError: shapes that do not fit, numbers that are not finite, labels other than 0 and 1, one class."""

    # Shapes that do not fit are the user's mistake, which `_check` words; so the types leave them open.
    x: Float[Tensor, "..."]
    y: Num[Tensor, "..."] | Bool[Tensor, "..."]
    groups: Groups = ()

    def __post_init__(self) -> None:
        _check({"x": self.x}, self.y, self.groups)

    def __len__(self) -> int:
        return len(self.y)

    @property
    def sides(self) -> Float[Tensor, "1 n d"]:
        return self.x[None]

    def take(self, rows: Tensor) -> "Labelled":
        """The rows of these numbers, or where this mask holds."""
        return Labelled(self.x[rows], self.y[rows], _taken(self.groups, rows))

    def relabelled(self, y: Tensor) -> "Labelled":
        """The same rows under other labels: a distractor's, or shuffled ones."""
        return replace(self, y=y)


@final
@dataclass(frozen=True, eq=False)
class Contrast:
    """Raises DataError as Labelled does, and when the two sides differ in shape or are the same rows."""

    x0: Float[Tensor, "..."]
    x1: Float[Tensor, "..."]
    y: Num[Tensor, "..."] | Bool[Tensor, "..."]
    groups: Groups = ()

    def __post_init__(self) -> None:
        _check({"x0": self.x0, "x1": self.x1}, self.y, self.groups)
        if torch.equal(self.x0, self.x1):
            raise DataError("x0 and x1 are the same numbers: a pair needs the statement completed in two ways")

    def __len__(self) -> int:
        return len(self.y)

    @property
    def sides(self) -> Float[Tensor, "2 n d"]:
        return torch.stack([self.x0, self.x1])

    def take(self, rows: Tensor) -> "Contrast":
        """The rows of these numbers, or where this mask holds."""
        return Contrast(self.x0[rows], self.x1[rows], self.y[rows], _taken(self.groups, rows))

    def relabelled(self, y: Tensor) -> "Contrast":
        """The same pairs under other labels: a distractor's, or shuffled ones."""
        return replace(self, y=y)

    def one_side(self) -> Labelled:
        """x1 alone as statements: for a probe of statements on pairs."""
        return Labelled(self.x1, self.y, self.groups)

    def both_sides(self) -> Labelled:
        """Every completed statement on its own: x1 with its label, x0 with the other one."""
        y = self.y.to(torch.int64)
        return Labelled(torch.cat([self.x1, self.x0]), torch.cat([y, 1 - y]), self.groups * 2)


Data = Labelled | Contrast


def _taken(groups: Groups, rows: Tensor) -> Groups:
    if not groups:
        return ()
    numbers = rows.nonzero()[:, 0] if rows.dtype == torch.bool else rows
    return tuple(groups[i] for i in numbers.tolist())


def _check(sides: dict[str, Tensor], y: Tensor, groups: Groups) -> None:
    shapes = {name: list(x.shape) for name, x in sides.items()}
    said = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
    fits = all(len(shape) == 2 and shape[1] > 0 for shape in shapes.values())
    if not fits or len(set(map(tuple, shapes.values()))) > 1 or list(y.shape) != [len(x) for x in sides.values()][:1]:
        raise DataError(f"{said} and y {list(y.shape)} do not fit: give x as [n, d] and one label for every row")
    if groups and len(groups) != len(y):
        raise DataError(f"there are {len(groups)} groups for {len(y)} rows: give every row its group, or none")
    for name, x in sides.items():
        finite = torch.isfinite(x).all(1)
        if not finite.all():
            row = int((~finite).nonzero()[0])
            raise DataError(f"row {row} of {name} holds a number that is not finite: leave it out, or read it again")
    wrong = (y != 0) & (y != 1)
    if wrong.any():
        row = int(wrong.nonzero()[0])
        raise DataError(f"label {y[row].item()} in row {row}: labels must be 0 (false) or 1 (true)")
    counts = Counter(y.to(torch.int64).tolist())
    if len(counts) < 2:
        only = next(iter(counts), None)
        said = "there are no rows" if only is None else f"all {len(y)} labels are {only}"
        raise DataError(f"{said}: a probe needs rows of both classes")
