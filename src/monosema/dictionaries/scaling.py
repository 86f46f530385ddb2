"""Activations are trained on at unit variance per site; the scale is folded back at every save.

    x' = s x, s = 1 / sqrt(mean over coordinates of the variance over the first rows), one s per site

The variance and not the mean square: b_dec starts at the mean, so what is left to explain has size 1,
a loss of 1 is what predicting the mean costs, and a penalty means the same wherever the mean lies.

    f' = rule(W_enc' (s_in x - b_dec') + b_enc')     y = (W_dec' f' + b_dec') / s_out

Folded, with f = f' / s_0 where s_0 is the first written site's scale: every tensor in units of the
model's activations, decoder rows of unit norm where one site is written, the same features firing.
A scale common to all features changes no order among them, so that top-k selections stay as they were.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.errors import ConfigError, DataError
from monosema.core.moments import Moments
from monosema.dictionaries.architecture import Architecture
from monosema.dictionaries.weights import Weights


@runtime_checkable
class ActivationBatch(Protocol):
    """What a source yields: rows of activations per site, and where each row comes from."""

    @property
    def activations(self) -> dict[str, Tensor]: ...
    @property
    def documents(self) -> Tensor: ...
    @property
    def positions(self) -> Tensor: ...


@dataclass(frozen=True)
class Scaling:
    """Each site's scale, and the mean of its first rows before scaling."""

    scales: dict[str, float]
    means: dict[str, list[float]]

    def factor(self, sites: Sequence[str]) -> Float[Tensor, "d"]:
        """The scale of every coordinate of `sites` laid end to end."""
        return torch.cat([torch.full((len(self.means[site]),), self.scales[site]) for site in sites])

    def mean(self, sites: Sequence[str]) -> Float[Tensor, "d"]:
        """The scaled mean of `sites` laid end to end."""
        return torch.cat([torch.tensor(self.means[site]) * self.scales[site] for site in sites])


def measure(batches: Iterable[ActivationBatch], widths: Mapping[str, int]) -> Scaling:
    """The scaling that the rows of `batches` give. Raises DataError for a site that never varies."""
    moments = {site: Moments(width) for site, width in widths.items()}
    for batch in batches:
        check_finite(batch)
        for site in widths:
            moments[site].update(batch.activations[site])
    scales, means = {}, {}
    for site, moment in moments.items():
        variance = float(moment.variance.mean())
        if variance == 0:
            raise DataError(f"the activations at {site} are all the same: there is nothing to learn there")
        scales[site], means[site] = variance**-0.5, moment.mean.tolist()
    return Scaling(scales, means)


def check_finite(batch: ActivationBatch) -> None:
    """Raise DataError naming the first NaN or infinite activation."""
    for site, rows in batch.activations.items():
        if not bool(torch.isfinite(rows).all()):
            row = int((~torch.isfinite(rows)).any(1).nonzero()[0])
            where = f"document {int(batch.documents[row])}, position {int(batch.positions[row])}"
            raise DataError(f"an activation at {site} is not finite ({where}): harvest again in float32 or bfloat16")


def together(activations: Mapping[str, Tensor], sites: Sequence[str]) -> Float[Tensor, "batch d"]:
    """The activations of `sites` laid end to end. Raises ConfigError if a site is not there."""
    for site in sites:
        if site not in activations:
            raise ConfigError(
                f"no activations of {site} here: there are {', '.join(activations)}; harvest that site too"
            )
    return activations[sites[0]] if len(sites) == 1 else torch.cat([activations[site] for site in sites], 1)


@torch.no_grad()
def folded(
    weights: Weights, rule: Architecture, factor_in: Float[Tensor, "d_in"], factor_out: Float[Tensor, "d_out"]
) -> Weights:
    """`weights` of scaled activations as weights of the model's own."""
    unit = factor_out[0]
    named: dict[str, Any] = {
        "W_dec": weights.W_dec * (unit / factor_out),
        "b_dec": weights.b_dec / factor_out,
        "b_enc": weights.b_enc / unit,
    }
    if not weights.tied:
        named["W_enc"] = weights.W_enc * (factor_in / unit)
    for name, tensor in weights.extra.items():
        named[name] = tensor / unit if name in rule.scaled_extra else tensor.clone()
    return weights.replaced(named)
