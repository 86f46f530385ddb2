"""What is known exactly of products under gradient flow on half the squared error.

one balanced component of two factors    u' = 2 u (s - u),          u(t) = s / (1 + (s/u0 - 1) e^(-2 s t))
of three                                 u' = 3 u^(4/3) (s - u),    no closed form: time as an integral
without a product                        z' = s - z,                z(t) = s - (s - z0) e^(-t)
the best of rank k (Eckart & Young 1936) 1/2 sum_{i > k} s_i^2
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from monosema.toys.multicomponent.products import Factors
from monosema.toys.multicomponent.targets import Target


def logistic(t: Float64[Tensor, "*time"], s: float, u0: float) -> Float64[Tensor, "*time"]:
    """A balanced component of two factors that begins at u0, at time t."""
    return s / (1 + (s / u0 - 1) * torch.exp(-2 * s * t))


def half_time(s: float, u0: float) -> float:
    """When a balanced component of two factors is half learnt: ln(s/u0 - 1) / (2 s)."""
    return math.log(s / u0 - 1) / (2 * s)


def time_of_three(s: float, u0: float, u: float) -> float:
    """When a balanced component of three factors that begins at u0 reaches u < s: the integral of
    du / (3 u^(4/3) (s - u)), by quadrature."""
    from scipy.integrate import quad

    # In w = u^(-1/3) the integrand is smooth: du / u^(4/3) = -3 dw.
    return quad(lambda w: 1 / (s - w**-3), u ** (-1 / 3), u0 ** (-1 / 3), epsabs=1e-13, epsrel=1e-12, limit=200)[0]


def eckart_young(values: Sequence[float], k: int) -> float:
    """The least half squared error of an array of rank k: 1/2 sum_{i > k} s_i^2. Of tensors whose components are
    orthogonal in every mode, the same."""
    return 0.5 * sum(s * s for s in values[k:])


def seeds_of_growth(factors: Factors, target: Target) -> Float64[Tensor, "run component"]:
    """The u0 of each component's logistic, read off small initial factors of two modes; nothing is fitted.

    A component's part in the factors is x = a.u_i and y = b.v_i, one number for each of the model's products. While
    all is small, (x + y)/2 grows as e^(s t) and (x - y)/2 shrinks, so u0 = |(x + y)/2|^2. A larger component, once
    learnt, holds down whatever of this points along its own: that part is taken away, largest component first.
    """
    a, b = factors
    x = torch.einsum("kra,ia->kir", a, target.directions[0])
    y = torch.einsum("kra,ia->kir", b, target.directions[1])
    growing = (x + y) / 2
    # Gram-Schmidt along the components, as a QR decomposition: the diagonal of R is what is left of each.
    n = min(growing.shape[1:])
    left = torch.linalg.qr(growing[:, :n].mT)[1].diagonal(dim1=1, dim2=2)
    u0 = torch.zeros(growing.shape[:2], dtype=torch.float64)
    u0[:, :n] = left.square()
    return u0


def loss_of_logistics(
    t: Float64[Tensor, " time"], values: Sequence[float], u0: Sequence[float]
) -> Float64[Tensor, " time"]:
    """1/2 sum_i (s_i - u_i(t))^2 of components that know nothing of each other; u0 = 0 is never learnt."""
    missing = [s - logistic(t, s, u) if u > 0 else torch.full_like(t, s) for s, u in zip(values, u0, strict=True)]
    return 0.5 * sum((m.square() for m in missing), torch.zeros_like(t))
