"""Models that are sums of products, many at once.

factors  one tensor a mode, [run, component, size]      Z = sum_r a_r (x) b_r [(x) c_r]   [run, *sizes]
direct   the control: a single tensor [run, *sizes] that is the model itself, without a product
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float64
from torch import Tensor

from monosema.toys.multicomponent.targets import Target

Factors = tuple[Tensor, ...]
"""One tensor [run, component, size] for each mode; or the control's single one, [run, *sizes]."""


def initial(
    n_runs: int, rank: int, sizes: tuple[int, ...], scale: float | Float64[Tensor, " run"], generator: torch.Generator
) -> Factors:
    """Factors drawn from a normal distribution of deviation `scale`, the same for all or one a run."""
    deviation = torch.as_tensor(scale, dtype=torch.float64).reshape(-1, 1, 1)
    drawn = [torch.randn(n_runs, rank, size, generator=generator, dtype=torch.float64) for size in sizes]
    return tuple(deviation * x for x in drawn)


def aligned(of: Target, u0: Sequence[float]) -> Factors:
    """One balanced product along each component of the target, holding u0 of it: a single run."""
    order = len(of.directions)
    shares = torch.tensor(u0, dtype=torch.float64)[:, None] ** (1 / order)
    return tuple((shares * directions[: len(u0)])[None] for directions in of.directions)


def product(factors: Factors) -> Float64[Tensor, "run *sizes"]:
    """The model's array; of the control, the array that it is."""
    match factors:
        case (whole,):
            return whole
        case (a, b):
            return a.mT @ b
        case _:
            letters = "abc"[: len(factors)]
            return torch.einsum(",".join(f"kr{x}" for x in letters) + f"->k{letters}", *factors)


def pullback(factors: Factors, gradient: Float64[Tensor, "run *sizes"]) -> Factors:
    """The gradient of a loss by each factor, from its gradient by the product."""
    match factors:
        case (_,):
            return (gradient,)
        case (a, b):
            return b @ gradient.mT, a @ gradient
        case _:
            letters = "abc"[: len(factors)]
            return tuple(_without(factors, gradient, letters, i) for i in range(len(factors)))


def _without(factors: Factors, gradient: Tensor, letters: str, i: int) -> Tensor:
    others = [j for j in range(len(factors)) if j != i]
    spelt = ",".join([f"k{letters}", *(f"kr{letters[j]}" for j in others)])
    return torch.einsum(f"{spelt}->kr{letters[i]}", gradient, *(factors[j] for j in others))


def imbalance(factors: Factors) -> tuple[Float64[Tensor, "run component component"], ...]:
    """What gradient flow conserves: of a matrix a a^T - b b^T, [component, component]; of a tensor the same
    of each mode and the next, of which only the diagonal is conserved."""
    grams = [x @ x.mT for x in factors]
    return tuple(one - other for one, other in pairwise(grams))
