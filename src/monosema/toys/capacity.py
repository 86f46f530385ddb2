"""How much of a layer each feature has: counts by the Frobenius norm, dimensionality, leverage.

    W [instance, m, n]     column W_i: the direction of feature i in m dimensions

    features per dimension   F   = |W|_F^2 / m                                 (Elhage et al. 2022; not scale-free)
    dimensionality           D_i = |W_i|^2 / sum_j (W^_i . W_j)^2,  W^_i = W_i / |W_i|,  0 where W_i = 0
    leverage                 l_i = W_i^T (W W^T)^+ W_i
    effective features       N   = (sum_i |W_i|^2)^2 / sum_i |W_i|^4

D_i is the capacity of Scherlis et al. 2022. It lies in [0, 1] and is at most l_i, so that all D_i together are at most
the rank of W; equal to it when every W_i is an eigenvector of W W^T. Scaling W by c leaves D, l and N as they are and
multiplies F by c^2. All is computed in float64.
"""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

REPRESENTED = 0.5
"""A feature is represented when its direction is at least this share as long as the longest one."""


def features_per_dimension(W: Float[Tensor, "*instance m n"]) -> Float[Tensor, "*instance"]:
    """F = |W|_F^2 / m: a number of features per dimension if every represented feature has norm 1, else none."""
    return W.double().square().sum((-2, -1)) / W.shape[-2]


def dimensions_per_feature(W: Float[Tensor, "*instance m n"]) -> Float[Tensor, "*instance"]:
    """m / |W|_F^2, the inverse; infinite where W is 0."""
    return 1 / features_per_dimension(W)


def dimensionality(W: Float[Tensor, "*instance m n"]) -> Float[Tensor, "*instance n"]:
    """D_i: the share of a dimension that each feature has for itself, in [0, 1]."""
    norms = W.double().norm(dim=-2)
    unit = W / torch.where(norms > 0, norms, 1.0)[..., None, :]
    shared = (unit.mT @ W.double()).square().sum(-1)
    return torch.where(norms > 0, norms.square() / torch.where(norms > 0, shared, 1.0), 0.0)


def leverage(W: Float[Tensor, "*instance m n"]) -> Float[Tensor, "*instance n"]:
    """l_i: the squared length of the i-th axis in the row space of W, in [0, 1]; their sum is the rank."""
    _, sizes, rows = torch.linalg.svd(W.double(), full_matrices=False)
    return (rows.square() * _counts(sizes, W.shape)[..., None]).sum(-2)


def rank(W: Float[Tensor, "*instance m n"]) -> Int64[Tensor, "*instance"]:
    """The number of dimensions that W uses, to the precision of float64."""
    return _counts(torch.linalg.svdvals(W.double()), W.shape).sum(-1)


def _counts(sizes: Float[Tensor, "*instance k"], shape: torch.Size) -> Bool[Tensor, "*instance k"]:
    return sizes > sizes[..., :1] * max(shape[-2:]) * torch.finfo(torch.float64).eps


def represented(W: Float[Tensor, "*instance m n"], share: float = REPRESENTED) -> Bool[Tensor, "*instance n"]:
    """Whether a feature's direction is at least `share` as long as the longest; none is where W is 0."""
    norms = W.double().norm(dim=-2)
    longest = norms.amax(-1, keepdim=True)
    return (norms >= share * longest) & (longest > 0)


def effective_features(W: Float[Tensor, "*instance m n"]) -> Float[Tensor, "*instance"]:
    """N: the participation ratio of the squared norms; k when k features have equal norms and the rest none."""
    squares = W.double().square().sum(-2)
    return squares.sum(-1).square() / squares.square().sum(-1)
