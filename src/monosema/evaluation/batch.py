"""What a metric sees: one batch of scored tokens of one dictionary.

    target          [token, d_out]   what the dictionary should have written
    reconstruction  [token, d_out]   what it wrote
    codes           [token]          which features fired, and how strongly
    documents       [token]          whose tokens these are
    predictions                      the losses, at the positions that predict a scored token

Nothing but data. The passes that make it are in `passes.py`.
"""

from dataclasses import dataclass

from jaxtyping import Float, Int64
from torch import Tensor

from monosema.dictionaries.codes import SparseCodes


@dataclass(frozen=True)
class Predictions:
    """Losses in nats at every counted prediction: a usable token foretold from the usable one before
    it in the same document.

    model      by the model as it is
    spliced    with the dictionary's output in place of the activations it writes
    zero       with zero in their place
    mean       with their mean over the scored tokens in their place
    kl         KL(model || spliced) of the next-token distributions, in nats
    """

    documents: Int64[Tensor, "prediction"]
    model: Float[Tensor, "prediction"]
    spliced: Float[Tensor, "prediction"]
    zero: Float[Tensor, "prediction"]
    mean: Float[Tensor, "prediction"]
    kl: Float[Tensor, "prediction"]


@dataclass(frozen=True)
class ScoreBatch:
    """Scored tokens with their codes; `decoder` is the dictionary's W_dec, the same in every batch, with zero
    rows for pruned features.

    `predictions` is None when no model is at hand: metrics that need it are then left out.
    """

    documents: Int64[Tensor, "token"]
    target: Float[Tensor, "token d_out"]
    reconstruction: Float[Tensor, "token d_out"]
    codes: SparseCodes
    decoder: Float[Tensor, "n_features d_out"]
    predictions: Predictions | None = None
