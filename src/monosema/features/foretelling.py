"""Do a feature's own logits name what comes next? Random weights can store tokens; they cannot foretell.

    rank(t)     share of the vocabulary whose logit the feature raises less than that of t, in [0, 1)
    foretells   mean rank of the next token where the feature fires
                - mean rank of the next token everywhere

0 is chance, for a feature that points nowhere in particular and for one that only likes tokens that are
frequent anyway (the second term takes that off). It asks the output side of a feature, as Gur-Arieh et
al. 2025 ask of descriptions; the ranks and the subtraction are ours.
"""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.features.reading import Part


class Foretelling:
    """The measurement for some features: `update` with blocks, `result` at the end."""

    def __init__(self, effects: Float[Tensor, "feature d_vocab"]) -> None:
        """effects: each feature's direct logit effect on every token."""
        order, places = effects.argsort(1), torch.arange(effects.shape[1]).expand_as(effects)
        self.ranks = torch.empty_like(order).scatter_(1, order, places).double() / effects.shape[1]
        self.sums = torch.zeros(len(effects), dtype=torch.float64)
        self.n = torch.zeros(len(effects), dtype=torch.int64)
        self.followers = torch.zeros(effects.shape[1], dtype=torch.int64)

    def update(self, part: Part, fires: Bool[Tensor, "row feature"]) -> None:
        """Take in the usable positions of some blocks that are followed by a token of their document."""
        followed = torch.zeros_like(part.usable)
        followed[:, :-1] = part.usable[:, 1:] & (part.documents[:, 1:] == part.documents[:, :-1])
        counted = followed[part.usable]
        self.add(part.tokens.roll(-1, 1)[part.usable][counted], fires[counted])

    def add(self, following: Int64[Tensor, "prediction"], fires: Bool[Tensor, "prediction feature"]) -> None:
        """Take in the next token of some positions, and which features fire there."""
        rows, features = fires.nonzero(as_tuple=True)
        self.sums.index_add_(0, features, self.ranks[features, following[rows]])
        self.n += fires.sum(0)
        self.followers += torch.bincount(following, minlength=len(self.followers))

    def result(self) -> list[float | None]:
        """`foretells` of each feature, in [-1, 1]; None where it never fires before a token."""
        everywhere = self.ranks @ self.followers.double() / max(int(self.followers.sum()), 1)
        lifts = self.sums / self.n - everywhere
        return [float(lift) if n else None for lift, n in zip(lifts, self.n.tolist(), strict=True)]
