"""What a feature does to the model's loss: three effects, and how they are estimated on a corpus.

attr            every feature at once, to first order      one forward and one backward pass
total           exact                                      one pass for each feature and block
direct          one position's own path                    one unembedding for each firing
"""

from monosema.features.effects.measures import Attribution, attr, direct, total
from monosema.features.effects.subjects import counted_tokens, why_no_direct_effect, why_no_loss_effect

__all__ = ["Attribution", "attr", "counted_tokens", "direct", "total", "why_no_direct_effect", "why_no_loss_effect"]
