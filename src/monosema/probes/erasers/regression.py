"""Logistic regression of any number of classes, as a probe for what erasure has left.

    loss(W, b) = mean cross-entropy of softmax(s (x - mean) W + b) + ridge / 2 |W|^2,    s = 1 / root mean variance

Centred first, because otherwise the penalty leaves coefficients where class means are equal. It begins at 0: on rows
whose class means are equal the gradient there is 0, so it stays, and predicts the most frequent class. Two classes
have one column of coefficients.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from monosema.core.errors import DataError
from monosema.probes.logistic import logistic_regression
from monosema.probes.minimising import minimise

STEPS = 1000
GRADIENT = 1e-9


@dataclass(frozen=True)
class Regression:
    """scores = (x - mean) W + b; with one column a row above 0 is of class 1."""

    mean: Float64[Tensor, "d"]
    W: Float64[Tensor, "d column"]
    b: Float64[Tensor, "column"]

    def predict(self, x: Float[Tensor, "n d"]) -> Int64[Tensor, "n"]:
        """The class of every row; the lower one on a tie."""
        scores = (x.double() - self.mean) @ self.W + self.b
        return (scores[:, 0] > 0).long() if scores.shape[1] == 1 else scores.argmax(1)


def n_classes_of(z: Int64[Tensor, "n"]) -> int:
    """One more than the highest label. Raises DataError: a negative label, or all rows of one class."""
    if len(z) == 0 or int(z.min()) < 0:
        raise DataError("labels are class numbers from 0 on; there are none, or some are below 0")
    if int(z.min()) == int(z.max()):
        raise DataError(f"all {len(z)} rows have the label {int(z[0])}: at least two classes are needed")
    return int(z.max()) + 1


def regress(x: Float[Tensor, "n d"], z: Int64[Tensor, "n"], ridge: float) -> Regression:
    """The fit on all rows, in float64. Raises DataError when all are of one class."""
    k = n_classes_of(z)
    rows = x.double()
    mean = rows.mean(0)
    rows = rows - mean
    spread = rows.square().mean().sqrt()
    scale = 1 / spread if float(spread) > 0 else torch.ones((), dtype=torch.float64)
    rows = rows * scale
    if k == 2:
        found = logistic_regression(rows, z[None], ridge, STEPS, GRADIENT).x.T
        return Regression(mean, found[:-1] * scale, found[-1])
    W, b = _softmax_regression(rows, z, ridge)
    return Regression(mean, W * scale, b)


def _softmax_regression(
    rows: Float64[Tensor, "n d"], z: Int64[Tensor, "n"], ridge: float
) -> tuple[Float64[Tensor, "d k"], Float64[Tensor, "k"]]:
    """W and b of every class; begun at the classes' shares."""
    n, d = rows.shape
    targets = torch.nn.functional.one_hot(z).double()
    k = targets.shape[1]

    def objective(parameters: Tensor) -> tuple[Tensor, Tensor]:
        W, b = parameters[0, : d * k].view(d, k), parameters[0, d * k :]
        scores = rows @ W + b
        loss = (scores.logsumexp(1).sum() - (targets * scores).sum()) / n + ridge / 2 * W.square().sum()
        error = (scores.softmax(1) - targets) / n
        gradient = torch.cat([(rows.T @ error + ridge * W).flatten(), error.sum(0)])
        return loss[None], gradient[None]

    start = torch.zeros(1, (d + 1) * k, dtype=torch.float64)
    start[0, d * k :] = targets.mean(0).clamp(min=1e-12).log()
    found = minimise(objective, start, STEPS, GRADIENT).x[0]
    return found[: d * k].view(d, k), found[d * k :]
