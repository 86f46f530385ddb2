"""Several probes for one question: restarts, layers, paraphrases. The mean of their calibrated probabilities.

M scores whose errors are uncorrelated and of variance v: their mean has an error of variance v / M;
with correlation rho, v / M (1 + (M - 1) rho), however many there are at least rho v
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float64
from torch import Tensor

from monosema.core.config import require
from monosema.core.errors import MismatchError
from monosema.core.findings import Finding
from monosema.probes.calibrating import HOWS, Calibration, calibrate
from monosema.probes.data import Data
from monosema.probes.probe import Probe
from monosema.probes.shares import share_of_rows


@final
@dataclass(frozen=True, eq=False)
class Ensemble:
    """Members with their calibrations. Data is given for every member: the same for restarts, the activations of its
    layer, or those of its paraphrase, row by row of the same statements."""

    probes: tuple[Probe, ...]
    calibrations: tuple[Calibration, ...]

    def probability(self, data: Sequence[Data]) -> Float64[Tensor, "n"]:
        """The mean of the members' calibrated probabilities that a row is 1."""
        return self.each(data).mean(0)

    def each(self, data: Sequence[Data]) -> Float64[Tensor, "member n"]:
        """The members' calibrated probabilities. Raises MismatchError: data for another number of members, or of
        other statements."""
        if len(data) != len(self.probes):
            raise MismatchError(f"{len(self.probes)} probes need {len(self.probes)} sets of data, not {len(data)}")
        if any(not torch.equal(part.y.long(), data[0].y.long()) for part in data):
            raise MismatchError("the members' data have different labels: give the same statements in the same order")
        members = zip(self.probes, self.calibrations, data, strict=True)
        return torch.stack([calibration(probe.score(part)) for probe, calibration, part in members])

    def accuracy(self, data: Sequence[Data]) -> Finding:
        """Of the mean probability, beside the mean accuracy of the members alone."""
        y, groups = data[0].y, data[0].groups
        each = self.each(data)
        single = float(((each > 0.5) == y).double().mean())
        right = ((each.mean(0) > 0.5) == y).long()
        name = f"accuracy of {len(self.probes)} probes together"
        return share_of_rows(name, right, groups, single, "one of them alone, on average")

    def brier(self, data: Sequence[Data]) -> Finding:
        """Mean squared distance of the probability to the label, beside that of the members alone on average. By
        convexity the ensemble's is never larger."""
        each, y = self.each(data), data[0].y.double()
        value, single = float((each.mean(0) - y).square().mean()), float((each - y).square().mean())
        alone = "one of them alone, on average"
        return Finding("Brier score of the ensemble", value, single, alone, value, value, len(y), "rows")


def ensemble(probes: Sequence[Probe], data: Sequence[Data], how: HOWS = "platt") -> Ensemble:
    """Calibrate each probe on its part of `data`: rows that none of them was fitted on."""
    require(len(probes) > 0, "an ensemble needs at least one probe")
    settled = [replace(probe, sign="by most training labels") for probe in probes]
    pairs = zip(settled, data, strict=True)
    return Ensemble(tuple(settled), tuple(calibrate(probe, part, how) for probe, part in pairs))


@dataclass(frozen=True)
class Errors:
    """variance: of a member's error, the mean over members. correlation: mean over pairs of members, as a share of
    it. of_mean: the variance of the mean's error. uncorrelated: v / M. predicted: v / M (1 + (M - 1) rho)."""

    variance: float
    correlation: float
    of_mean: float
    uncorrelated: float
    predicted: float


def errors(scores: Float64[Tensor, "member n"], truth: Float64[Tensor, "n"]) -> Errors:
    """How much the mean of the scores gains over one of them: variances over rows (divided by n) of score - truth."""
    off = scores - truth
    m = len(off)
    covariance = torch.cov(off, correction=0).reshape(m, m)
    v = float(covariance.diagonal().mean())
    between = float(covariance.sum() - covariance.diagonal().sum()) / max(m * (m - 1), 1)
    rho = between / v if v else 0.0
    of_mean = float(off.mean(0).var(correction=0))
    return Errors(v, rho, of_mean, v / m, v / m * (1 + (m - 1) * rho))
