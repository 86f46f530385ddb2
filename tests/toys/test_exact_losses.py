"""Integrated losses against fine grids, samples and the optima of the sparse limit (T9)."""

import math

import pytest
import torch
from torch import Tensor

from monosema.core.errors import ConfigError
from monosema.toys import exact
from monosema.toys.capacity import dimensionality, features_per_dimension
from monosema.toys.geometry import recognise
from monosema.toys.inputs import Inputs, uniform_inputs
from monosema.toys.superposition import ToyConfig, initial
from monosema.toys.training import ToyRun, ToyTrainConfig, train

RANDOM = torch.Generator().manual_seed(0)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=RANDOM)


def test_a_line_through_a_relu_is_integrated_exactly():
    slope, start, a, c = drawn(4, 200)
    slope[:20], start[10:30] = 0.0, 0.0
    t = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    fine = ((slope[:, None] * t + start[:, None]).relu() - a[:, None] * t - c[:, None]).square().mean(1)
    assert torch.allclose(exact.line_loss(slope, start, a, c), fine, atol=1e-7)


def test_its_gradient_is_the_slope_of_the_integral():
    values = drawn(4, 50).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: exact.line_loss(*v), values)


@pytest.mark.parametrize("n, p", [(2, 0.7), (5, 0.05)])
def test_the_expected_loss_is_the_mean_over_samples(n: int, p: float):
    probability = torch.full((3, n), p, dtype=torch.float64)
    probability[:, 0] = p / 2
    inputs = Inputs(probability, torch.arange(1.0, n + 1).expand(3, n))
    config = ToyConfig(n=n, m=2)
    toys = initial(config, 3, seed=0)
    toys.b.copy_(0.2 * drawn(3, n).float())
    weights = exact.weights_of(inputs, "two")
    expected = exact.expected_loss(toys, inputs, weights)
    found = torch.stack([toys.losses(inputs.draw(100_000, 0, step), inputs).sum(1) for step in range(8)]).mean(0)
    # What is left out has squared errors below 1 here, so adds at most its probability times the importances' sum.
    left_out = (1 - weights.covered) * inputs.importance.sum(1)
    assert bool((found > 0.98 * expected).all())
    assert bool((found < 1.02 * expected + left_out).all())


def test_with_two_features_nothing_is_left_out():
    inputs = uniform_inputs(1, 2, 0.8)
    assert float(exact.weights_of(inputs, "two").covered) == pytest.approx(1)
    assert "left out" not in exact.leaves_out(inputs, "two")
    # Five features of probability .1: three or more with probability .00856.
    assert "0.0086 of the probability is left out" in exact.leaves_out(uniform_inputs(1, 5, 0.1), "two")


def sparse_limit(n: int, m: int) -> ToyRun:
    training = ToyTrainConfig(steps=2000, lr=0.05, last_lr=0.0, method="exact_one")
    return train(ToyConfig(n=n, m=m), uniform_inputs(24, n, 0.01), training)


@pytest.mark.slow
@pytest.mark.parametrize(
    "n, m, loss, shape, D, F",
    [
        (5, 2, 0.079128, "pentagon", 2 / 5, 3.4249),
        (6, 2, 0.289154, "hexagon", 1 / 3, 5.2314),
        (8, 2, 0.884982, "heptagon", 2 / 7, 7.3427),
        (6, 3, 0.0, "octahedron", 1 / 2, 2.0),
        (8, 3, 0.101668, "square antiprism", 0.36810, 3.6073),
    ],
)
def test_optima_of_the_sparse_limit(n: int, m: int, loss: float, shape: str, D: float, F: float):
    run = sparse_limit(n, m)
    W = run.toys.W_in[run.loss.argmin()]
    assert float(run.loss.min()) == pytest.approx(loss, abs=1e-5)
    found = recognise(W)
    assert found.name == shape
    assert len(found.dropped) == (1 if (n, m) == (8, 2) else 0)
    if (n, m) == (8, 2):  # a hexagon and two features without direction is a worse optimum, which more restarts find
        assert run.loss.sort().values[4] == pytest.approx(0.893321, abs=1e-5)
    sizes = dimensionality(W)[[i for i in range(n) if i not in found.dropped]]
    assert sizes.tolist() == pytest.approx([D] * len(sizes), abs=1e-4)
    if n > 2 * m:
        assert float(features_per_dimension(W)) == pytest.approx(F, abs=2e-3)


def ring_loss(n: int, length: float, bias: float, points: Tensor, weights: Tensor) -> float:
    """The sparse limit of n features on a regular polygon, written out and summed over a rule's points."""
    total = 0.0
    for k in range(n):
        y = (length * math.cos(2 * math.pi * k / n) * points + bias).relu() - (points if k == 0 else 0)
        total += n * float((weights * y.square()).sum())
    return total


@pytest.mark.parametrize("n, length, bias, coarse", [(5, 1.38482, -0.2912, 0.07895), (6, 1.68002, -0.5737, 0.29063)])
def test_a_rule_of_16_points_is_off_in_the_third_digit(n: int, length: float, bias: float, coarse: float):
    # .07895 and .29063 are optima of that rule; at the same weights, the integral is above the true optimum.
    from scipy.optimize import minimize

    points, weights = exact.nodes(16)
    found = minimize(lambda v: ring_loss(n, v[0], v[1], points, weights), [length, bias], method="Nelder-Mead")
    assert found.fun == pytest.approx(coarse, abs=6e-6)
    G = found.x[0] * torch.cos(2 * math.pi * torch.arange(n, dtype=torch.float64) / n)
    start, own = torch.full_like(G, found.x[1]), (torch.arange(n) == 0).double()
    assert n * float(exact.line_loss(G, start, own, 0 * own).sum()) > {5: 0.079128, 6: 0.289154}[n]


@pytest.mark.slow
@pytest.mark.parametrize("n, m", [(4, 2), (3, 2)])
def test_the_loss_vanishes_up_to_two_features_a_dimension(n: int, m: int):
    assert float(sparse_limit(n, m).loss.min()) < 1e-6


def test_what_is_not_integrated_is_refused():
    with pytest.raises(ConfigError, match="without hidden ReLUs"):
        exact.check_exact(ToyConfig(neurons=True), uniform_inputs(1, 5, 0.1), "one")
    with pytest.raises(ConfigError, match="independent features only"):
        exact.check_exact(ToyConfig(n=2), Inputs(torch.full((1, 2), 0.1), torch.ones(1, 2), 1), "two")
    with pytest.raises(ConfigError, match="8 features at most, there are 9"):
        exact.check_exact(ToyConfig(n=9), uniform_inputs(1, 9, 0.1), "two")
