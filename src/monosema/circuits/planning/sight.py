"""A model that sees only what it may: attention to what is hidden is taken out, in training and in use alike.

    in use        pattern' = pattern * sees / sum over what is seen          an Edit at every attn_pattern.l
    in training   the scores of what is hidden are set to the least number before the softmax

Both are softmax over what is seen; they are equal to rounding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.core.errors import MismatchError
from monosema.models import Edit, Model


@dataclass(frozen=True)
class Reader:
    """A model with eyes: `sees[i, j]` says whether the token in place i may look at the one in place j."""

    model: Model
    sees: Bool[Tensor, "query key"]

    def run(self, tokens: Int64[Tensor, "n seq"], read: Sequence[str], edits: Sequence[Edit] = ()) -> dict[str, Tensor]:
        """As `Model.run`; the edits come after the eyes."""
        return self.model.run(tokens, read, [*self.edits(), *edits])

    def edits(self) -> list[Edit]:
        """What hides what may not be seen, at every layer. None where every token sees all before it."""
        if bool(torch.equal(self.sees, torch.ones_like(self.sees).tril())):
            return []
        return [Edit(f"attn_pattern.{layer}", hiding(self.sees)) for layer in range(self.model.n_layers)]

    @property
    def streams(self) -> list[str]:
        """resid_post of every layer."""
        return [f"resid_post.{layer}" for layer in range(self.model.n_layers)]


def hiding(sees: Bool[Tensor, "query key"]) -> Callable[[Tensor], Tensor]:
    """Attention patterns without what is hidden, their rows adding up to one again.

    Raises MismatchError where a row has nothing left: all its weight was on what is hidden."""

    def apply(pattern: Float[Tensor, "n head query key"]) -> Float[Tensor, "n head query key"]:
        seen = pattern * sees[: pattern.shape[2], : pattern.shape[3]].to(pattern)
        total = seen.sum(-1, keepdim=True)
        if not bool((total > 0).all()):
            raise MismatchError(
                "a token looks only at what is hidden from it: the model was not trained with this mask"
            )
        return seen / total

    return apply


def scores(sees: Bool[Tensor, "query key"]) -> Float[Tensor, "1 1 query key"]:
    """What is added to attention scores so that the softmax is over what is seen: the mask of transformers' models."""
    return torch.zeros(sees.shape).masked_fill(~sees, torch.finfo(torch.float32).min)[None, None]
