"""Losses of an array Z against a target C, with their gradients by Z, written out."""

from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

Loss = Literal["mse", "kl"]
"""mse: 1/2 ||Z - C||_F^2. kl: the mean over rows of KL(softmax C || softmax Z), in nats: zero at Z = C up to a
constant a row, which the softmax does not see. A row runs along the last mode."""


def losses(loss: Loss, Z: Float64[Tensor, "run *sizes"], C: Float64[Tensor, "#run *sizes"]) -> Float64[Tensor, " run"]:
    """The loss of each run."""
    if loss == "mse":
        return 0.5 * (Z - C).square().flatten(1).sum(1)
    log_p, log_q = torch.log_softmax(C, -1), torch.log_softmax(Z, -1)
    return (log_p.exp() * (log_p - log_q)).sum(-1).flatten(1).mean(1)


def gradient(
    loss: Loss, Z: Float64[Tensor, "run *sizes"], C: Float64[Tensor, "#run *sizes"]
) -> Float64[Tensor, "run *sizes"]:
    """The gradient of each run's loss by its Z."""
    if loss == "mse":
        return Z - C
    n_rows = Z[0].numel() // Z.shape[-1]
    return (torch.softmax(Z, -1) - torch.softmax(C, -1)) / n_rows
