"""From scores to probabilities, and how far these can be believed.

    platt          p = sigmoid(slope * score + offset), both fitted (Platt 1999)
    temperature    p = sigmoid(slope * score), slope fitted (Guo et al. 2017; slope is 1 / T)
    none           p = sigmoid(score)

Fit on rows that the probe was not fitted on: on its own a separable probe looks certain.
"""

from dataclasses import dataclass
from typing import Literal, final

import torch
import torch.nn.functional as F
from jaxtyping import Float64
from torch import Tensor

from monosema.core.config import require_range
from monosema.core.exhibits import Curves, Line
from monosema.core.findings import Finding, bootstrap
from monosema.core.seeding import generator
from monosema.probes.data import Data
from monosema.probes.minimising import minimise
from monosema.probes.probe import Probe

HOWS = Literal["platt", "temperature", "none"]
SLIGHT = 1e-6
"""Ridge on slope and offset, of scores whose deviation is 1, so that separable scores have a best slope."""


@final
@dataclass(frozen=True)
class Calibration:
    """p = sigmoid(slope * score + offset)."""

    how: HOWS
    slope: float
    offset: float

    def __call__(self, score: Float64[Tensor, "*rows"]) -> Float64[Tensor, "*rows"]:
        return torch.sigmoid(self.slope * score + self.offset)


def calibrate(probe: Probe, data: Data, how: HOWS = "platt") -> Calibration:
    """The calibration with the least log loss on `data`, by L-BFGS."""
    return calibrated(probe.score(data), data.y, how)


def calibrated(score: Float64[Tensor, "n"], y: Tensor, how: HOWS = "platt") -> Calibration:
    if how == "none":
        return Calibration(how, 1.0, 0.0)
    unit = float(score.square().mean().sqrt().clamp_min(1e-30))
    columns = [score / unit, torch.ones_like(score)][: 2 if how == "platt" else 1]
    x, signs = torch.stack(columns, 1), (2 * y.double() - 1)[:, None]

    def objective(theta: Tensor) -> tuple[Tensor, Tensor]:
        margin = signs * (x @ theta.T)
        loss = F.softplus(-margin).mean(0) + SLIGHT / 2 * theta.square().sum(1)
        return loss, (-signs * torch.sigmoid(-margin)).T @ x / len(x) + SLIGHT * theta

    start = torch.zeros(1, x.shape[1], dtype=torch.float64, device=x.device)
    found = minimise(objective, start, 500, 1e-10).x[0].tolist()
    return Calibration(how, found[0] / unit, found[1] if how == "platt" else 0.0)


@dataclass(frozen=True)
class Reliability:
    """bins of equal width over [0, 1]; of those with rows in them: how many, their mean p, their share of 1.

    ece    expected calibration error: sum over bins of (rows / n) |share - mean p|, beside that of the best constant,
           which answers the share of 1 to everything and is as a rule well calibrated and of no use
    """

    n_bins: int
    counts: tuple[int, ...]
    mean_p: tuple[float, ...]
    shares: tuple[float, ...]
    ece: Finding

    def curves(self, title: str = "Are the probabilities right?") -> Curves:
        """Share of 1 against mean p, beside the diagonal of a calibrated probe."""
        says = f"The expected calibration error over {self.n_bins} bins is {self.ece.value:.3f}."
        lines = (Line("measured", self.mean_p, self.shares), Line("calibrated", (0, 1), (0, 1), role="theory"))
        return Curves(title, says, "p that the probe says", "share of rows labelled 1", lines)


def reliability(p: Float64[Tensor, "n"], y: Tensor, n_bins: int = 10) -> Reliability:
    """How the probabilities `p` compare with the labels, in `n_bins` bins of equal width."""
    require_range("n_bins", n_bins, 1)
    y = y.double()
    at = (p * n_bins).long().clamp(0, n_bins - 1)
    terms = torch.zeros(3, len(p), n_bins, dtype=torch.float64)
    rows = torch.arange(len(p))
    for term, value in zip(terms, (torch.ones_like(p), p, y), strict=True):
        term[rows, at.cpu()] = value.cpu()
    sums = terms.sum(1)
    filled = sums[0] > 0
    counts = sums[0][filled]

    def ece(s: Tensor) -> Tensor:
        parts = s.reshape(*s.shape[:-1], 3, n_bins)
        return (parts[..., 2, :] - parts[..., 1, :]).abs().sum(-1) / parts[..., 0, :].sum(-1)

    value, low, high = bootstrap(terms.permute(1, 0, 2).reshape(len(p), -1), ece, generator(0, "ece"))
    finding = Finding(
        f"expected calibration error, {n_bins} bins of equal width",
        value,
        0.0,
        "the share of 1 said of every row",
        low,
        high,
        len(p),
        "rows",
    )
    return Reliability(
        n_bins,
        tuple(int(c) for c in counts.tolist()),
        tuple((sums[1][filled] / counts).tolist()),
        tuple((sums[2][filled] / counts).tolist()),
        finding,
    )
