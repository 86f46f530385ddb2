"""What linear algebra and the loss of CCS say before any language model is asked.

    constant probe       p0 = p1 = c:  (2c - 1)^2 + c^2, at its least 0.2, at c = 0.4
    any binary feature   p1 = h, p0 = 1 - h:  0, whatever h is (Farquhar et al. 2023)
    exchanged pairs      p0 and p1 exchanged in any rows: the same loss

So a low loss proves nothing about truth: the XOR of truth with any other bit has the same.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from monosema.core.findings import Finding, bootstrap
from monosema.core.seeding import generator
from monosema.probes.class_means import mean_difference
from monosema.probes.data import Contrast, Data
from monosema.probes.normalising import normalised
from monosema.probes.probe import Probe
from monosema.probes.shares import share_of_rows

BEST_CONSTANT, CONSTANT_LOSS = 0.4, 0.2


def constant_loss(c: float) -> float:
    """CCS's loss of the probe that answers c to everything."""
    return (2 * c - 1) ** 2 + c**2


def ccs_losses(p0: Float64[Tensor, "n"], p1: Float64[Tensor, "n"]) -> Float64[Tensor, "n"]:
    """CCS's loss of each pair: (p0 - (1 - p1))^2 + min(p0, p1)^2."""
    return (p0 - (1 - p1)).square() + torch.minimum(p0, p1).square()


def ccs_loss(probe: Probe, data: Contrast) -> Finding:
    """The mean loss on `data`, beside that of the best constant probe, which knows nothing."""
    losses = ccs_losses(*probe.probabilities(data)).cpu()
    terms = torch.stack([losses, torch.ones_like(losses)], 1)
    value, low, high = bootstrap(terms, lambda s: s[..., 0] / s[..., 1], generator(0, "ccs loss"))
    constant = f"the best constant probe, p = {BEST_CONSTANT}"
    return Finding("loss of ccs", value, CONSTANT_LOSS, constant, low, high, len(data), "rows")


@dataclass(frozen=True)
class Invariance:
    """loss: with p0 and p1 exchanged in a random half of the pairs, beside the loss as it is. accuracy: the same
    exchange, beside the accuracy as it is. says: what follows."""

    loss: Finding
    accuracy: Finding
    says: str


def xor_invariance(probe: Probe, data: Contrast, seed: int = 0) -> Invariance:
    """The probe's answers XORed with a coin for every pair: CCS's loss does not move, and accuracy is lost."""
    p0, p1 = probe.probabilities(data)
    coin = torch.rand(len(data), generator=generator(seed, "xor")).to(p0.device) < 0.5
    q0, q1 = torch.where(coin, p1, p0), torch.where(coin, p0, p1)
    before, after = (float(ccs_losses(*p).mean()) for p in ((p0, p1), (q0, q1)))
    right = (((q1 > q0) ^ probe.turned).long() == data.y).long()
    n, was = len(data), float((probe.predict(data) == data.y).double().mean())
    loss = Finding("loss of ccs, XOR a coin", after, before, "without the coin", after, after, n, "rows")
    accuracy = share_of_rows("accuracy of ccs, XOR a coin", right, data.groups, was, "without the coin")
    says = (
        f"XORed with a coin the probe has the same loss, {after:.4f}, and is right in {accuracy.value:.1%} instead of "
        f"{was:.1%} of the pairs: a low loss proves nothing about truth."
    )
    return Invariance(loss, accuracy, says)


def cosine_with_mean_difference(probe: Probe, data: Data) -> Finding:
    """|cos| between the probe's direction and the difference of the classes' means, in the space the probe reads.

    It is what linear algebra alone predicts for a feature that the classes differ in; beside it what a random direction
    has on average.
    """
    sides = normalised(data.sides, probe.shift.to(data.y.device), probe.scale.to(data.y.device))
    rows = sides[1] - sides[0] if isinstance(data, Contrast) else sides[0]
    difference = mean_difference(rows, data.y)
    size = float(difference.norm() * probe.direction.norm())
    value = abs(float(probe.direction @ difference)) / size if size else math.nan
    d = len(probe.direction)
    return Finding(
        f"|cosine| of {probe.method} with the mean difference",
        value,
        random_cosine(d),
        "a random direction, on average",
        value,
        value,
        d,
        "dimensions",
    )


def random_cosine(d: int) -> float:
    """The mean of |cos| between a fixed and a random direction: Gamma(d / 2) / (sqrt(pi) Gamma((d + 1) / 2))."""
    return math.exp(math.lgamma(d / 2) - math.lgamma((d + 1) / 2)) / math.sqrt(math.pi)
