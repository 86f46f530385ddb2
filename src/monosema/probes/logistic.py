"""Logistic regression by L-BFGS, for many labellings of the same rows at once.

    mean log(1 + exp(-s z)) + ridge / 2 |w|^2,    z = (x - mean x) . w + b,  s = +1 or -1

Rows are centred first, whatever their normalisation: uncentred, the intercept and the direction are badly conditioned
together and the fit stops short. In the span of the rows where there are fewer of them than dimensions: the ridge
leaves nothing of w outside it.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float64
from torch import Tensor

from monosema.probes.minimising import Minimum, minimise
from monosema.probes.rows import Fitted, Rows, in_span
from monosema.probes.settings import LogisticConfig


def fit_logistic(config: LogisticConfig, rows: Rows, labels: Tensor, seed: int) -> list[Fitted]:
    del seed
    mean = rows.each.mean(0)
    x, basis = in_span(rows.each - mean)
    found = logistic_regression(x, labels, config.ridge, config.steps, config.tolerance)
    w = found.x[:, :-1] if basis is None else found.x[:, :-1] @ basis.T
    bias = found.x[:, -1] - w @ mean
    return [Fitted(w[i], float(bias[i]), float(found.loss[i])) for i in range(len(labels))]


def logistic_regression(
    x: Float64[Tensor, "n d"], labels: Tensor, ridge: float, steps: int = 2000, tolerance: float = 1e-8
) -> Minimum:
    """w and, last, b for each labelling [labelling, n] of 0 and 1. Centre x first."""
    signs = (2 * labels.double() - 1).T
    n = len(x)

    def objective(theta: Tensor) -> tuple[Tensor, Tensor]:
        w = theta[:, :-1]
        margin = signs * torch.addmm(theta[:, -1], x, w.T)
        loss = F.softplus(-margin).mean(0) + ridge / 2 * w.square().sum(1)
        by_z = -signs * torch.sigmoid(-margin) / n
        return loss, torch.cat([by_z.T @ x + ridge * w, by_z.sum(0)[:, None]], 1)

    start = torch.zeros(signs.shape[1], x.shape[1] + 1, dtype=torch.float64, device=x.device)
    return minimise(objective, start, steps, tolerance)
