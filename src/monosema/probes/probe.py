"""A fitted probe: one direction and a threshold, frozen, with what it does to a row before it reads it.

normal(x) = (x - shift) / scale                          for each side of a pair by itself

reads         score, above 0 for "true"
statement     normal(x) . w + b
difference    (normal1(x1) - normal0(x0)) . w + b
sides         (p1 - p0) / 2,  p = sigmoid(normal(x) . w + b)      CCS: its published score 1/2 (p1 + 1 - p0), less 1/2

A probe that is `turned` answers the opposite: its score is the negative of this. (w, b) stay as they were fitted,
because CCS's loss is not that of (-w, -b).
"""

from dataclasses import dataclass, replace
from typing import Literal, final

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from monosema.core.errors import DataError, MismatchError
from monosema.core.findings import Finding
from monosema.probes.data import Contrast, Data, Labelled
from monosema.probes.normalising import is_transductive, normalised, statistics
from monosema.probes.settings import Normalisation
from monosema.probes.shares import share_of_rows

Reads = Literal["statement", "difference", "sides"]
Sign = Literal["supervised", "by most training labels", "unsettled"]

MAJORITY = "the commoner class"


@final
@dataclass(frozen=True, eq=False)
class Probe:
    """direction: w, in the normalised space. loss: of what the method minimised, NaN where it minimises nothing.
    With a transductive normalisation shift and scale are those of the training rows and only `unit` uses them."""

    method: str
    direction: Float64[Tensor, "d"]
    bias: float
    shift: Float64[Tensor, "side d"]
    scale: Float64[Tensor, "side d"]
    normalisation: Normalisation
    reads: Reads
    sign: Sign
    loss: float
    turned: bool = False

    def score(self, data: Data | Tensor) -> Float64[Tensor, "*rows"]:
        """Above 0 where the probe says 1. A probe of statements also takes activations [..., d] without labels.

        Raises MismatchError: pairs for a probe of statements or the reverse, another width.
        """
        sides = self._normal(data)
        if self.reads == "sides":
            p0, p1 = torch.sigmoid(sides @ self.direction + self.bias)
            score = (p1 - p0) / 2
        else:
            rows = sides[0] if self.reads == "statement" else sides[1] - sides[0]
            score = rows @ self.direction + self.bias
        return -score if self.turned else score

    def probabilities(self, data: Contrast) -> tuple[Float64[Tensor, "n"], Float64[Tensor, "n"]]:
        """p0 and p1, what a probe that reads `sides` (CCS) says of each side alone. They are as fitted: of a probe
        that is turned, the probabilities of "false"."""
        if self.reads != "sides":
            raise MismatchError(f"a probe by {self.method} reads {self.reads}: only one by ccs gives both sides a p")
        p0, p1 = torch.sigmoid(self._normal(data) @ self.direction + self.bias)
        return p0, p1

    def predict(self, data: Data | Tensor) -> Int64[Tensor, "*rows"]:
        """1 where the score is above 0."""
        return (self.score(data) > 0).long()

    def right(self, data: Data) -> Int64[Tensor, "n"]:
        """1 where the prediction is the label. Of a probe whose sign is unsettled: by the better sign on these rows."""
        right = (self.predict(data) == data.y).long()
        return 1 - right if self.sign == "unsettled" and 2 * int(right.sum()) < len(right) else right

    def accuracy(self, data: Data) -> Finding:
        """The share of rows that it gets right, beside the share of the commoner class among them.

        The interval is Wilson's (1927), or where there are groups, the bootstrap's over groups.
        """
        y = data.y.double()
        majority = float(torch.maximum(y.mean(), 1 - y.mean()))
        name = f"accuracy of {self.method}" + (", of the better sign" if self.sign == "unsettled" else "")
        return share_of_rows(name, self.right(data), data.groups, majority, MAJORITY)

    @property
    def unit(self) -> Float64[Tensor, "d"]:
        """The unit direction in the space of the activations along which the score rises fastest: w / scale,
        of pairs by the scale of x1."""
        raw = self.direction / self.scale[-1]
        return raw / raw.norm() * (-1 if self.turned else 1)

    def flipped(self) -> "Probe":
        """The same with the opposite sign: every score times -1."""
        return replace(self, turned=not self.turned)

    def _normal(self, data: Data | Tensor) -> Float64[Tensor, "side *rows d"]:
        takes_pairs = self.reads != "statement"
        if takes_pairs != isinstance(data, Contrast):
            need = "pairs (a Contrast)" if takes_pairs else "statements (a Labelled, or activations)"
            raise MismatchError(f"the probe by {self.method} was fitted on {need}: give it the same kind")
        sides = data.sides if isinstance(data, Labelled | Contrast) else data[None]
        if sides.shape[-1] != len(self.direction):
            raise MismatchError(
                f"the probe was fitted on activations of width {len(self.direction)}, not {sides.shape[-1]}: "
                "read the site it was fitted at"
            )
        flat = sides.reshape(len(sides), -1, sides.shape[-1])
        if is_transductive(self.normalisation):
            shift, scale = statistics(flat, self.normalisation)
        else:
            shift, scale = self.shift.to(flat.device), self.scale.to(flat.device)
        return normalised(flat, shift, scale).reshape(sides.shape)


def require_rows(data: Data, least: int) -> None:
    """Raise DataError unless each class has at least `least` rows."""
    n_true = int((data.y != 0).sum())
    fewest = min(n_true, len(data) - n_true)
    if fewest < least:
        raise DataError(
            f"{len(data)} rows with {n_true} labelled 1 are too few: this needs at least {least} of each class"
        )
