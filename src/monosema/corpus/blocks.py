"""A few blocks of tokens in memory, ready for a model."""

from dataclasses import dataclass

from jaxtyping import Bool, Int64
from torch import Tensor


@dataclass(frozen=True)
class TokenBlocks:
    """Blocks of one context length each, and for every position its document and whether it counts.

    documents  index of the document within its split, -1 at padding
    usable     False at the token that starts a block or a document, and at padding
    """

    tokens: Int64[Tensor, "batch seq"]
    documents: Int64[Tensor, "batch seq"]
    usable: Bool[Tensor, "batch seq"]
