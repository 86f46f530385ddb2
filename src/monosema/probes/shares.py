"""A share of rows as a Finding: Wilson's interval, or the bootstrap over groups of rows that belong together."""

import torch
from jaxtyping import Int64
from scipy.stats import binomtest
from torch import Tensor

from monosema.core.findings import Finding, bootstrap
from monosema.core.seeding import generator


def share_of_rows(
    name: str, hits: Int64[Tensor, "n"], groups: tuple[str, ...], control: float | None, control_is: str
) -> Finding:
    """The mean of `hits`, 0 or 1 a row, with its 95% interval."""
    if groups:
        return _of_groups(name, hits, groups, control, control_is)
    n, p = len(hits), float(hits.double().mean())
    interval = binomtest(int(hits.sum()), n).proportion_ci(method="wilson")
    return Finding(name, p, control, control_is, float(min(p, interval.low)), float(max(p, interval.high)), n, "rows")


def _of_groups(
    name: str, hits: Int64[Tensor, "n"], groups: tuple[str, ...], control: float | None, control_is: str
) -> Finding:
    numbers = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    at = torch.tensor([numbers[group] for group in groups])
    terms = torch.zeros(len(numbers), 2, dtype=torch.float64)
    terms.index_add_(0, at, torch.stack([hits.cpu().double(), torch.ones(len(hits), dtype=torch.float64)], 1))
    p, low, high = bootstrap(terms, lambda s: s[..., 0] / s[..., 1], generator(0, "groups"))
    return Finding(name, p, control, control_is, low, high, len(numbers), "groups")
