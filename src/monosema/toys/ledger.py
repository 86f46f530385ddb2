"""What absorption is worth, exactly: a parent p, its child c, two latents (Chanin et al. 2024).

    x = p with probability q0,  x = p + c with probability q1,  p and c orthonormal
    L = E |x - sum_k a_k d_k|^2 + lam E sum_k a_k        unit decoder rows d_k, codes a_k >= 0

    own        {p, c}                    absorbed    {p, (p + c) / sqrt 2}

    L(absorbed) - L(own) = -q1 ((2 - sqrt 2) lam - lam^2 / 4)        for lam <= 2 and the best codes of each row

Absorption saves penalty: one latent says both features, and p's own is silent where c fires. An untied encoder can say
so: p's latent reads p minus enough of c. A tied one reads along its decoder row, and p . (p + c) = p . p: it cannot be
silent at p + c and fire at p. `tied_loss` gives it the best biases there are.
"""

import itertools
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

BREAK_EVEN = 4 * (2 - math.sqrt(2))
"""2.34: the penalty at which the formula turns; codes of {p, c} are 0 from 2 on."""

PARENT, CHILD = (1.0, 0.0), (0.0, 1.0)
EVENTS = ((1.0, 0.0), (1.0, 1.0))
POINTS, REFINED = 41, 16


@dataclass(frozen=True)
class Ledger:
    """Losses of a decoder at one penalty: with the best codes of every row, and with a tied encoder's best biases."""

    untied: float
    tied: float


def decoder_at(angle: float) -> Float64[Tensor, "2 2"]:
    """Rows p, and c turned towards p by `angle` degrees: 0 is {p, c}, 45 is {p, (p + c) / sqrt 2}."""
    turn = math.radians(angle)
    return torch.tensor([PARENT, (math.sin(turn), math.cos(turn))], dtype=torch.float64)


def absorption_ledger(angle: float, lam: float, q0: float, q1: float) -> Ledger:
    """Both losses of the decoder at `angle`."""
    decoder, rates = decoder_at(angle), (q0, q1)
    untied = sum(q * best_code_loss(decoder, _event(event), lam) for q, event in zip(rates, EVENTS, strict=True))
    return Ledger(untied, tied_loss(decoder, lam, q0, q1))


def expected_difference(lam: float, q1: float) -> float:
    """L(absorbed) - L(own) by the formula, for lam <= 2."""
    return -q1 * ((2 - math.sqrt(2)) * lam - lam * lam / 4)


def _event(event: tuple[float, float]) -> Float64[Tensor, "2"]:
    return torch.tensor(event, dtype=torch.float64)


def best_code_loss(decoder: Float64[Tensor, "k d"], x: Float64[Tensor, "d"], lam: float) -> float:
    """min over a >= 0 of |x - a D|^2 + lam sum a, by trying every set of latents (few of them)."""
    best = float(x.square().sum())
    k = len(decoder)
    for size in range(1, k + 1):
        for chosen in itertools.combinations(range(k), size):
            D = decoder[list(chosen)]
            a = torch.linalg.lstsq(D @ D.T, (D @ x - lam / 2)[:, None]).solution[:, 0]
            if bool((a > 0).all()):
                best = min(best, _loss(D, a, x, lam))
    return best


def _loss(decoder: Tensor, a: Tensor, x: Tensor, lam: float) -> float:
    return float((x - a @ decoder).square().sum() + lam * a.sum())


def tied_loss(decoder: Float64[Tensor, "2 d"], lam: float, q0: float, q1: float) -> float:
    """The least loss over biases b of codes ReLU(D x + b), on a grid refined around its best point."""
    rows = torch.tensor(EVENTS, dtype=torch.float64)
    middle, width, best = torch.zeros(2, dtype=torch.float64), 2.0, math.inf
    for _ in range(REFINED):
        steps = torch.linspace(-width, width, POINTS, dtype=torch.float64)
        biases = middle + torch.cartesian_prod(steps, steps)
        losses = torch.zeros(len(biases), dtype=torch.float64)
        for q, x in zip((q0, q1), rows, strict=True):
            a = (decoder @ x + biases).relu()
            losses += q * ((x - a @ decoder).square().sum(1) + lam * a.sum(1))
        best, middle, width = min(best, float(losses.min())), biases[losses.argmin()], width / 2
    return best
