"""Two dictionaries at the same L0, compared over the same documents.

y |        x1       difference = y(cut) - line(L0 of cut)
  |  cut-'          the line is straight in log L0: recovered loss bends less over log L0 than
  |  x0             over L0, and a bend is what a straight line between few points gets wrong
  |_______ log L0
"""

from collections.abc import Hashable, Mapping
from typing import TypeVar

from torch import Tensor

from monosema.evaluation.documents import Terms, aligned

Results = Mapping[str, Terms]
"""A dictionary's metrics by name, on the documents that are compared."""

Name = TypeVar("Name", bound=Hashable)


def bracket(l0: float, trained: Mapping[Name, float]) -> tuple[Name, Name] | None:
    """The neighbours of `l0` among dictionaries as trained: the next sparser (or as sparse) and the
    next denser one; None when it has not both, or the sparser one never fires."""
    sparser = [name for name, value in trained.items() if 0 < value <= l0]
    denser = [name for name, value in trained.items() if value > l0]
    if not sparser or not denser:
        return None
    return max(sparser, key=lambda name: trained[name]), min(denser, key=lambda name: trained[name])


def difference_to_line(
    cut: Mapping[str, Terms], sparser: Mapping[str, Terms], denser: Mapping[str, Terms], metric: str
) -> Terms:
    """The metric of `cut` minus that of the line through two others at the same L0, straight in log L0.

    Terms of one formula, so that a resample of documents moves all three alike: a paired interval.
    """
    parts = [terms for results in (cut, sparser, denser) for terms in (results["l0"], results[metric])]
    documents, sums = aligned(parts)
    widths = [part.sums.shape[1] for part in parts]

    def formula(s: Tensor) -> Tensor:
        values = [part.formula(of) for part, of in zip(parts, s.split(widths, dim=-1), strict=True)]
        x, y, x0, y0, x1, y1 = (v.log() if i % 2 == 0 else v for i, v in enumerate(values))
        return y - (y0 + (x - x0) / (x1 - x0) * (y1 - y0))

    return Terms(documents, sums, formula)


def difference(cut: Results, other: Results, metric: str) -> Terms:
    """The metric of `cut` minus that of `other`, paired over documents."""
    parts = [cut[metric], other[metric]]
    documents, sums = aligned(parts)
    widths = [part.sums.shape[1] for part in parts]

    def formula(s: Tensor) -> Tensor:
        first, second = s.split(widths, dim=-1)
        return parts[0].formula(first) - parts[1].formula(second)

    return Terms(documents, sums, formula)
