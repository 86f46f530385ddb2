"""Numbers on circles: spectra, turns and the formula are exact where the vectors are cosines and sines."""

from math import pi

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from monosema.core.seeding import generator
from monosema.pipeline.mechanisms import fourier

P = 11
N = torch.arange(P, dtype=torch.float64)


def circles(heights: dict[int, float], d: int = 8) -> Tensor:
    """Vectors whose circle of each frequency is round, of that radius, in a plane of its own, about a mean."""
    out = torch.zeros(P, d, dtype=torch.float64)
    for i, (k, height) in enumerate(heights.items()):
        out[:, 2 * i] = height * torch.cos(2 * pi * k * N / P)
        out[:, 2 * i + 1] = height * torch.sin(2 * pi * k * N / P)
    return out + torch.linspace(-1, 1, d, dtype=torch.float64)


def test_the_spectrum_of_circles_is_their_squared_radii():
    found = fourier.spectrum(circles({2: 3.0, 5: 1.0}))
    torch.testing.assert_close(found, torch.tensor([0, 0.9, 0, 0, 0.1], dtype=torch.float64))
    assert fourier.key_frequencies(circles({2: 3.0, 5: 1.0})) == (2,)
    assert fourier.key_frequencies(circles({2: 1.0, 5: 1.0})) == (2, 5)
    assert fourier.strongest(circles({4: 1.0, 1: 3.0, 2: 2.0}), 2) == (1, 2)


def test_where_all_frequencies_are_alike_none_is_key_but_one_is_named():
    one_hot = torch.eye(P, dtype=torch.float64)
    torch.testing.assert_close(fourier.spectrum(one_hot), torch.full((5,), 0.2, dtype=torch.float64))
    assert len(fourier.key_frequencies(one_hot)) == 1
    assert fourier.spectrum(torch.ones(P, 3, dtype=torch.float64)).sum() == 0


def test_kept_and_removed_are_the_two_parts_of_a_vector():
    vectors = torch.randn(P, 6, generator=generator(0, "vectors"), dtype=torch.float64)
    parts = fourier.kept(vectors, (2, 3)) + fourier.removed(vectors, (2, 3))
    torch.testing.assert_close(parts, vectors + vectors.mean(0))
    assert fourier.spectrum(fourier.removed(vectors, (2, 3)))[[1, 2]].sum() < 1e-28
    torch.testing.assert_close(
        fourier.spectrum(fourier.kept(vectors, (2, 3)))[[1, 2]].sum(), torch.tensor(1.0).double()
    )


@given(st.integers(-20, 20))
def test_a_whole_turn_of_every_circle_is_another_number(steps: int):
    vectors = torch.randn(P, 6, generator=generator(1, "vectors"), dtype=torch.float64)
    numbers = torch.arange(P)
    every = tuple(range(1, 6))
    turned = fourier.turned(vectors, numbers, every, torch.full((P, 5), float(steps), dtype=torch.float64))
    torch.testing.assert_close(turned, vectors[(numbers + steps) % P])


def test_a_turn_of_one_circle_leaves_the_others_where_they_were():
    vectors, numbers = circles({2: 3.0, 5: 1.0}), torch.arange(P)
    turned = fourier.turned(vectors, numbers, (5,), torch.full((P, 1), 4.0, dtype=torch.float64))
    torch.testing.assert_close(turned[:, :2], vectors[:, :2])
    torch.testing.assert_close(turned[:, 2:4], vectors[(numbers + 4) % P][:, 2:4])


def test_logits_that_are_cosines_give_back_their_amplitudes_and_no_others():
    sums = torch.randint(0, P, (40,), generator=generator(0, "sums"))
    logits = sum(a * torch.cos(2 * pi * k / P * (sums[:, None] - N)) for k, a in ((1, 2.5), (4, -0.5)))
    assert isinstance(logits, Tensor)
    found = fourier.amplitudes(logits, sums, tuple(range(1, 6)))
    torch.testing.assert_close(found, torch.tensor([2.5, 0, 0, -0.5, 0], dtype=torch.float64))
    alike = sums.double()[:, None].expand(-1, 2)
    torch.testing.assert_close(fourier.cosines(P, (1, 4), found[[0, 3]], alike), logits)


def test_a_neuron_is_of_the_frequency_that_makes_it():
    a, b = N[:, None], N[None, :]
    w = 2 * pi / P
    neurons = [
        torch.cos(2 * w * a) * torch.sin(2 * w * b) + 3 * torch.cos(2 * w * a) + 7,  # frequency 2 alone
        torch.cos(w * a) + torch.cos(3 * w * b),  # half of frequency 1, half of 3
        torch.cos(w * a) * torch.cos(2 * w * b),  # a product of two frequencies is of neither
        torch.full((P, P), 2.0, dtype=torch.float64),
    ]
    found = fourier.by_neuron(torch.stack(neurons, 2))
    expected = torch.zeros(5, 4, dtype=torch.float64)
    expected[1, 0], expected[0, 1], expected[2, 1] = 1.0, 0.5, 0.5
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("p", [7, 13])
def test_planes_are_orthonormal(p: int):
    basis = fourier.planes(p, tuple(range(1, (p + 1) // 2)))
    torch.testing.assert_close(basis.T @ basis, torch.eye(p - 1, dtype=torch.float64))
