"""Shares and means as findings."""

import torch
from jaxtyping import Bool, Float
from scipy.stats import binomtest
from torch import Tensor

from monosema.core.findings import Finding, bootstrap
from monosema.core.seeding import generator


def rate(hits: Tensor) -> float:
    """The share of true ones."""
    return float(hits.double().mean())


def share(name: str, hits: Bool[Tensor, "*any"], control: float, control_is: str, unit: str = "couplets") -> Finding:
    """The share of true ones, with Wilson's 95% interval."""
    n, p = hits.numel(), rate(hits)
    interval = binomtest(int(hits.sum()), n).proportion_ci(method="wilson")
    return Finding(name, p, control, control_is, float(min(p, interval.low)), float(max(p, interval.high)), n, unit)


def mean(name: str, values: Float[Tensor, "*any"], control: float, control_is: str, unit: str = "couplets") -> Finding:
    """The mean, with its bootstrap 95% interval."""
    terms = values.detach().double().flatten()
    terms = torch.stack([terms, torch.ones_like(terms)], 1)
    value, low, high = bootstrap(terms, lambda sums: sums[..., 0] / sums[..., 1], generator(0, "mean", name))
    return Finding(name, value, control, control_is, min(value, low), max(value, high), values.numel(), unit)
