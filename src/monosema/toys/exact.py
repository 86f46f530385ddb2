"""The expected loss of a toy model without sampling.

    L = P(nothing on) L_0 + sum_i P(i alone) L_i + sum_{i<j} P(i and j alone) L_ij

    L_i   integrated exactly: along u_i every output is a line, cut by its ReLU at one point
    L_ij  exact along u_i, a Gauss-Legendre rule of NODES points along u_j

`one_sparse` is the limit p -> 0: exactly one feature is on, feature i with weight n p_i / sum p. With two features the
sum above is the whole expectation; with more, what is left out is P(three or more).
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.config import require
from monosema.toys.inputs import Inputs
from monosema.toys.superposition import ToyConfig, Toys

NODES = 12
MOST_FEATURES = 8
"""Pairs are integrated up to so many features."""

Actives = Literal["one", "two"]


def line_loss(
    slope: Float[Tensor, "*place"],
    start: Float[Tensor, "*place"],
    target_slope: Float[Tensor, "*place"],
    target_start: Float[Tensor, "*place"],
) -> Float[Tensor, "*place"]:
    """Integral over t in [0, 1] of (ReLU(slope t + start) - target_slope t - target_start)^2, exact.

    The integrand is continuous where the ReLU turns on, so the gradient needs no term for the border's own move.
    """
    border = (-start / torch.where(slope == 0, 1.0, slope)).clamp(0, 1).detach()
    low = torch.where(slope > 0, border, 0.0)
    high = torch.where(slope < 0, border, ((slope > 0) | (start > 0)).to(slope.dtype))
    on1, on2, on3 = high - low, (high**2 - low**2) / 2, (high**3 - low**3) / 3
    k, r = slope - target_slope, start - target_start
    on = k * k * on3 + 2 * k * r * on2 + r * r * on1
    a, c = target_slope, target_start
    return on + a * a * (1 / 3 - on3) + 2 * a * c * (1 / 2 - on2) + c * c * (1 - on1)


@dataclass(frozen=True)
class Weights:
    """Probabilities of what is on: nothing, feature i alone, a pair alone."""

    nothing: Float[Tensor, "instance"]
    alone: Float[Tensor, "instance n"]
    pairs: Float[Tensor, "instance pair"]

    @property
    def covered(self) -> Float[Tensor, "instance"]:
        """The probability of what the sum holds."""
        return self.nothing + self.alone.sum(1) + self.pairs.sum(1)


def weights_of(inputs: Inputs, actives: Actives) -> Weights:
    """Of each pattern that the sum holds."""
    p = inputs.probability.double()
    if actives == "one":
        none = torch.zeros(len(p), dtype=torch.float64)
        return Weights(none, p / p.mean(1, keepdim=True), none[:, None][:, :0])
    n = inputs.n
    i, j = _pairs(n)
    on = torch.eye(n, dtype=torch.bool)
    patterns = torch.cat([torch.zeros(1, n, dtype=torch.bool), on, on[i] | on[j]])
    found = torch.where(patterns, p[:, None], 1 - p[:, None]).prod(2)
    return Weights(found[:, 0], found[:, 1 : n + 1], found[:, n + 1 :])


def _pairs(n: int) -> tuple[Tensor, Tensor]:
    i, j = torch.triu_indices(n, n, offset=1)
    return i, j


def nodes(n: int) -> tuple[Float[Tensor, "node"], Float[Tensor, "node"]]:
    """Points and weights of the Gauss-Legendre rule of n points on [0, 1] (Golub & Welsch 1969)."""
    k = torch.arange(1, n, dtype=torch.float64)
    beside = torch.diag(k / torch.sqrt(4 * k * k - 1), 1)
    points, vectors = torch.linalg.eigh(beside + beside.T)
    return (points + 1) / 2, vectors[0].square()


def check_exact(config: ToyConfig, inputs: Inputs, actives: Actives) -> None:
    """Raise ConfigError where the integrals do not hold."""
    require(
        not (config.neurons or inputs.signed),
        "losses are integrated for models without hidden ReLUs, of features in [0, 1]: train on sampled batches",
    )
    require(inputs.independent, "losses are integrated for independent features only: train on sampled batches")
    require(
        actives == "one" or inputs.n <= MOST_FEATURES,
        f"pairs are integrated for {MOST_FEATURES} features at most, there are {inputs.n}: take actives='one' for the "
        "sparse limit, or train on sampled batches",
    )


def expected_loss(toys: Toys, inputs: Inputs, weights: Weights) -> Float[Tensor, "instance"]:
    """The expected loss of each model, in the precision of its tensors."""
    return losses_by_feature(toys, inputs, weights).sum(1)


def losses_by_feature(toys: Toys, inputs: Inputs, weights: Weights) -> Float[Tensor, "instance n"]:
    """The expected loss of each feature of each model."""
    G = toys.W_out.mT @ toys.W_in
    b, importance = toys.b, inputs.importance.to(G.dtype)
    own = torch.eye(inputs.n, dtype=G.dtype)
    alone = line_loss(G, b[..., None].expand_as(G), own.expand_as(G), torch.zeros_like(G))
    by_output = torch.einsum("kof,kf->ko", alone, weights.alone.to(G.dtype))
    by_output = by_output + weights.nothing.to(G.dtype)[:, None] * b.relu().square()
    if weights.pairs.shape[1]:
        by_output = by_output + _pair_losses(G, b, weights.pairs.to(G.dtype))
    return importance * by_output


def _pair_losses(
    G: Float[Tensor, "instance n n"], b: Float[Tensor, "instance n"], weights: Float[Tensor, "instance pair"]
) -> Float[Tensor, "instance n"]:
    """Of each output, over all pairs (i, j): along u_i exactly, along u_j by the rule."""
    n, (points, sizes) = G.shape[1], nodes(NODES)
    points, sizes = points.to(G.dtype), sizes.to(G.dtype)
    i, j = _pairs(n)
    own = torch.eye(n, dtype=G.dtype)
    start = b[:, :, None, None] + G[:, :, j, None] * points
    shape = start.shape
    losses = line_loss(
        G[:, :, i, None].expand(shape), start, own[:, i, None].expand(shape), (own[:, j, None] * points).expand(shape)
    )
    return torch.einsum("koph,kp,h->ko", losses, weights, sizes)


def covered_share(inputs: Inputs, actives: Actives) -> float:
    """The least probability, over instances, of what the exact loss holds; 1 in the limit of one."""
    return 1.0 if actives == "one" else min(1.0, float(weights_of(inputs, actives).covered.min()))


def leaves_out(inputs: Inputs, actives: Actives) -> str:
    """In words: what the exact loss holds."""
    if actives == "one":
        return "exact integrals in the limit of one feature on at a time"
    share = covered_share(inputs, actives)
    rest = "" if math.isclose(share, 1, abs_tol=1e-9) else f"; {1 - share:.2g} of the probability is left out"
    return f"exact integrals over up to two features on at a time{rest}"
