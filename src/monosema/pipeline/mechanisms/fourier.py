"""Vectors of the numbers modulo p as circles: one of every frequency, and how much of the vectors it is.

    v(n) = mean + sum_k [ c_k cos(2 pi k n / p) + s_k sin(2 pi k n / p) ],     k = 1 .. (p - 1) / 2,  p odd

As n runs through the numbers, frequency k goes k times around an ellipse in the plane of c_k and s_k. A model that adds
by circles says: logit of c = sum_k A_k cos(2 pi k (a + b - c) / p). For every a and b the waves of two frequencies are
orthogonal over c, so that the least squares for A_k are means.
"""

from collections.abc import Sequence
from math import pi

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

NOISE = 1e-24
"""What varies less than this, of its mean square, does not move but by rounding."""
KEY = 2.0
"""A key frequency has at least this many times the equal share of the variance."""


def planes(p: int, frequencies: Sequence[int]) -> Float64[Tensor, "p plane"]:
    """Orthonormal columns: a cosine and a sine over the numbers for each frequency."""
    angles = torch.arange(p, dtype=torch.float64)[:, None] * (2 * pi / p) * torch.tensor(frequencies).double()
    return torch.stack([angles.cos(), angles.sin()], 2).flatten(1) * (2 / p) ** 0.5


def spectrum(vectors: Float64[Tensor, "p d"]) -> Float64[Tensor, " frequency"]:
    """The share of the vectors' variance that each frequency has, from 1 on. They add up to 1; where all vectors are
    the same they are 0."""
    power = torch.fft.rfft(vectors - vectors.mean(0), dim=0)[1:].abs().square().sum(1)
    return power / power.sum().clamp_min(torch.finfo(torch.float64).tiny)


def strongest(vectors: Float64[Tensor, "p d"], k: int) -> tuple[int, ...]:
    """The k frequencies with the most variance, in rising order."""
    return tuple(sorted(i + 1 for i in spectrum(vectors).topk(k).indices.tolist()))


def key_frequencies(vectors: Float64[Tensor, "p d"]) -> tuple[int, ...]:
    """The frequencies with at least `KEY` times the equal share of the variance, or else the strongest one."""
    shares = spectrum(vectors)
    found = tuple(i + 1 for i in (shares * len(shares) >= KEY).nonzero().flatten().tolist())
    return found or strongest(vectors, 1)


def kept(vectors: Float64[Tensor, "p d"], frequencies: Sequence[int]) -> Float64[Tensor, "p d"]:
    """The mean and these circles, nothing else."""
    basis = planes(len(vectors), frequencies)
    return vectors.mean(0) + basis @ (basis.T @ vectors)


def removed(vectors: Float64[Tensor, "p d"], frequencies: Sequence[int]) -> Float64[Tensor, "p d"]:
    """Everything but these circles."""
    basis = planes(len(vectors), frequencies)
    return vectors - basis @ (basis.T @ vectors)


def turned(
    vectors: Float64[Tensor, "p d"],
    numbers: Int64[Tensor, " pair"],
    frequencies: Sequence[int],
    steps: Float64[Tensor, "pair k"],
) -> Float64[Tensor, "pair d"]:
    """The vectors of `numbers`, each with the circle of every frequency turned as if its number were `steps` more.

    Turned by the same whole number everywhere, those circles are another number's; the rest stays the number's own.
    """
    p = len(vectors)
    out = vectors[numbers].clone()
    for column, k in enumerate(frequencies):
        basis = planes(p, (k,))
        along, across = (2 / p) ** 0.5 * (basis.T @ vectors)
        before = numbers.double() * (2 * pi * k / p)
        after = before + steps[:, column] * (2 * pi * k / p)
        out += (after.cos() - before.cos())[:, None] * along + (after.sin() - before.sin())[:, None] * across
    return out


def waves(p: int, frequencies: Sequence[int], sums: Float64[Tensor, "pair k"]) -> Float64[Tensor, "pair k p"]:
    """cos(2 pi k (sum - c) / p) for every answer c; each frequency may be given a sum of its own."""
    offsets = sums[:, :, None] - torch.arange(p, dtype=torch.float64)
    return torch.cos(offsets * (2 * pi / p) * torch.tensor(frequencies).double()[:, None])


def amplitudes(
    logits: Float64[Tensor, "pair p"], sums: Int64[Tensor, " pair"], frequencies: Sequence[int]
) -> Float64[Tensor, " k"]:
    """The A_k that fit the logits best, by least squares."""
    p = logits.shape[1]
    alike = sums.double()[:, None].expand(-1, len(frequencies))
    return torch.einsum("nkc,nc->k", waves(p, frequencies, alike), logits) * 2 / (p * len(logits))


def cosines(
    p: int,
    frequencies: Sequence[int],
    heights: Float64[Tensor, " k"],
    sums: Float64[Tensor, "pair k"],
) -> Float64[Tensor, "pair p"]:
    """The logits that a model has which adds by these circles and does nothing else."""
    return torch.einsum("nkc,k->nc", waves(p, frequencies, sums), heights)


def by_neuron(activations: Float64[Tensor, "p p neuron"]) -> Float64[Tensor, "frequency neuron"]:
    """The share of each neuron's variance over all pairs (a, b) that is made of one frequency's cosines and sines of
    a, of b, and their products. 0 for a neuron that never moves."""
    p = len(activations)
    power = torch.fft.fft2(activations, dim=(0, 1)).abs().square()
    still = power.sum((0, 1)) * NOISE
    power[0, 0] = 0
    total = power.sum((0, 1))
    own = []
    for k in range(1, (p + 1) // 2):
        here = torch.tensor([0, k, p - k])
        own.append(power[here][:, here].sum((0, 1)))
    return torch.where(total > still, torch.stack(own) / total, 0.0)
