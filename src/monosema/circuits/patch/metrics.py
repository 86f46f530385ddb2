"""What is measured of the last token's logits: one number a pair, float64.

logit_diff     logit of the answer less that of the wrong answer
probability    of the answer
loss           -log probability of the answer, nats
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.circuits.patch.pairs import Pairs

Metric = Literal["logit_diff", "probability", "loss"]
METRICS: tuple[Metric, ...] = ("logit_diff", "probability", "loss")


def measure(metric: Metric, logits: Float[Tensor, "*group pair d_vocab"], pairs: Pairs) -> Float[Tensor, "*group pair"]:
    """`metric` of each pair."""
    wide = logits.double()
    rows = torch.arange(len(pairs), device=logits.device)
    answers, wrongs = pairs.answers.to(logits.device), pairs.wrongs.to(logits.device)
    if metric == "logit_diff":
        return wide[..., rows, answers] - wide[..., rows, wrongs]
    log_probability = wide.log_softmax(-1)[..., rows, answers]
    return log_probability.exp() if metric == "probability" else -log_probability
