"""What a little more capacity is worth to each feature: the derivative of the loss by capacity.

    C(W) = D, the capacities      J = dC / dW, one row a feature      v_i = dL . J^+ e_i

J^+ e_i is the smallest change of W that gives feature i one unit more capacity and leaves the others as they are, as
far as that can be; where the capacities already fill all dimensions (their sum cannot grow) it takes the unit from all
in equal parts. So differences v_i - v_j are derivatives at fixed sum: what moving a unit from j to i does to the loss.
At an optimum they are 0 for all features that are neither full nor empty (Scherlis et al. 2022, section 2).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.toys.capacity import dimensionality

CUT = 1e-9
"""Singular values of J below this share of the largest count as 0: scaling W changes no capacity."""


def jacobian(W: Float[Tensor, "m n"]) -> Float[Tensor, "n m n"]:
    """J[i] = dD_i / dW, float64."""
    found = torch.autograd.functional.jacobian(dimensionality, W.double().detach())
    assert isinstance(found, Tensor)
    return found


def capacity_moves(W: Float[Tensor, "m n"]) -> Float[Tensor, "n m n"]:
    """J^+ e_i for every feature i: the change of W that moves one unit of capacity to it."""
    n = W.shape[-1]
    return torch.linalg.pinv(jacobian(W).flatten(1), rtol=CUT).T.reshape(n, *W.shape)


def marginal_value(W: Float[Tensor, "m n"], gradient: Float[Tensor, "m n"]) -> Float[Tensor, "n"]:
    """v_i, the derivative of the loss by each capacity, from its `gradient` by W. Negative: more lowers the loss."""
    return (capacity_moves(W) * gradient.double()).sum((-2, -1))
