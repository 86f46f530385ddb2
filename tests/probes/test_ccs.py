"""CCS: its loss by hand, its identities, and the published loop written out plainly."""

import math

import pytest
import torch

from monosema.probes.ccs import ccs_loss_and_gradient
from monosema.probes.data import Contrast
from monosema.probes.fitting import fit, fit_restarts
from monosema.probes.identities import (
    ccs_loss,
    ccs_losses,
    constant_loss,
    cosine_with_mean_difference,
    random_cosine,
    xor_invariance,
)
from monosema.probes.settings import CCSConfig, CRCConfig, MassMeanConfig, RandomConfig


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def planted(n: int = 200, d: int = 16, a: float = 1.5, seed: int = 0) -> Contrast:
    y = (drawn(n, seed=seed + 10) > 0).long()
    way = torch.zeros(d)
    way[0] = a
    content, sign = drawn(n, d, seed=seed), (2 * y - 1)[:, None]
    x0, x1 = (content + s * sign * way + 0.5 * drawn(n, d, seed=seed + 3 + s) for s in (-1, 1))
    return Contrast(x0, x1, y)


def published(data: Contrast, tries: int, epochs: int = 500, lr: float = 0.01) -> tuple[float, torch.nn.Module]:
    """Burns et al.'s loop: one try after the other, autograd, AdamW, the lowest last loss kept."""
    x0, x1 = (x - x.mean(0, keepdim=True) for x in (data.x0, data.x1))
    best, kept = math.inf, None
    for _ in range(tries):
        probe = torch.nn.Sequential(torch.nn.Linear(x0.shape[1], 1), torch.nn.Sigmoid())
        adam = torch.optim.AdamW(probe.parameters(), lr=lr, weight_decay=0.01)
        for _ in range(epochs):
            p0, p1 = probe(x0), probe(x1)
            loss = ((p0 - (1 - p1)) ** 2).mean() + (torch.min(p0, p1) ** 2).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
        if loss.item() < best:
            best, kept = loss.item(), probe
    assert kept is not None
    return best, kept


def test_a_constant_probe_has_its_least_loss_a_fifth_at_two_fifths():
    for c in (0.0, 0.25, 0.4, 0.5, 1.0):
        p = torch.full((7,), c, dtype=torch.float64)
        assert float(ccs_losses(p, p).mean()) == pytest.approx((2 * c - 1) ** 2 + c**2, abs=1e-15)
        assert constant_loss(c) == (2 * c - 1) ** 2 + c**2
    assert constant_loss(0.4) == pytest.approx(0.2, abs=1e-15)
    assert all(constant_loss(c / 100) >= 0.2 - 1e-15 for c in range(101))


def test_any_binary_feature_has_loss_0_and_swaps_change_nothing():
    h = (drawn(50) > 0).double()
    assert float(ccs_losses(1 - h, h).sum()) == 0.0
    p0, p1 = torch.sigmoid(drawn(2, 50).double())
    swap = drawn(50, seed=4) > 0
    swapped = ccs_losses(torch.where(swap, p1, p0), torch.where(swap, p0, p1))
    torch.testing.assert_close(swapped, ccs_losses(p0, p1), rtol=0, atol=1e-15)


def test_the_gradient_is_that_of_autograd():
    x = drawn(60, 5).double()
    theta = drawn(3, 6, seed=2).double().requires_grad_()
    p = torch.sigmoid(x @ theta[:, :-1].T + theta[:, -1])
    loss = (p[:30] + p[30:] - 1).square().mean(0) + torch.minimum(p[:30], p[30:]).square().mean(0)
    loss.sum().backward()
    ours, gradient = ccs_loss_and_gradient(x, theta.detach())
    torch.testing.assert_close(ours, loss.detach())
    torch.testing.assert_close(gradient, theta.grad)


@pytest.mark.slow
def test_adamw_in_a_stack_ends_where_the_published_loop_does():
    data = planted()
    torch.manual_seed(0)
    theirs, probe = published(data, 2)
    ours = fit(CCSConfig(optimiser="adamw", restarts=2, steps=500), data)
    assert ours.loss == pytest.approx(theirs, rel=0.02)
    weight = probe[0].weight.detach().double()[0]
    assert abs(float(weight @ ours.direction / weight.norm() / ours.direction.norm())) > 0.99
    with torch.no_grad():
        p0, p1 = (probe(x - x.mean(0))[:, 0] for x in (data.x0, data.x1))
    right = float(((0.5 * (p0 + 1 - p1) < 0.5) == data.y).double().mean())
    assert max(right, 1 - right) == pytest.approx(ours.accuracy(data).value, abs=0.02)


@pytest.mark.slow
def test_lbfgs_ends_no_higher_than_the_published_loop():
    data = planted(a=0.8)
    torch.manual_seed(0)
    assert fit(CCSConfig(), data).loss <= 1.01 * published(data, 2)[0]


def test_the_score_is_the_published_one_less_a_half():
    data = planted()
    probe = fit(CCSConfig(), data)
    p0, p1 = probe.probabilities(data)
    as_fitted = 0.5 * (p1 + 1 - p0) - 0.5
    torch.testing.assert_close(probe.score(data), -as_fitted if probe.turned else as_fitted)
    assert probe.loss == pytest.approx(float(ccs_losses(p0, p1).mean()), abs=1e-6)


def test_with_fewer_pairs_than_dimensions_the_direction_lies_in_their_span():
    data = planted(n=30, d=100)
    probe = fit(CCSConfig(), data)
    rows = torch.cat([x - x.mean(0) for x in (data.x0, data.x1)]).double()
    basis = torch.linalg.svd(rows, full_matrices=False)
    inside = basis.Vh[basis.S > 1e-6]
    left = probe.direction - inside.T @ (inside @ probe.direction)
    assert float(left.norm() / probe.direction.norm()) < 1e-4
    p0, p1 = probe.probabilities(data)
    assert probe.loss == pytest.approx(float(ccs_losses(p0, p1).mean()), abs=1e-5)


def test_more_restarts_never_lose():
    data = planted(a=0.3)
    assert fit_restarts(CCSConfig(restarts=8), data)[0].loss <= fit_restarts(CCSConfig(restarts=2), data)[0].loss + 1e-6


def test_its_loss_stands_beside_that_of_the_best_constant():
    finding = ccs_loss(fit(CCSConfig(), planted(a=4.0)), planted(a=4.0, seed=30))
    assert finding.control == 0.2 and finding.low <= finding.value <= finding.high < 0.05
    noise = fit(CCSConfig(), planted(a=0.0))
    assert ccs_loss(noise, planted(a=0.0, seed=30)).value > 0.1


def test_a_coin_changes_no_loss_and_loses_the_truth():
    data = planted(a=4.0)
    found = xor_invariance(fit(CCSConfig(), data), data)
    assert found.loss.value == pytest.approx(found.loss.control, abs=1e-15)
    assert found.accuracy.control == 1.0 and 0.4 < found.accuracy.value < 0.6
    assert found.says.endswith("a low loss proves nothing about truth.")


def test_the_mean_difference_is_found_where_it_is_all_there_is():
    data = planted(a=4.0)
    assert cosine_with_mean_difference(fit(MassMeanConfig(), data), data).value == pytest.approx(1.0, abs=1e-12)
    assert cosine_with_mean_difference(fit(CRCConfig(), data), data).value > 0.99
    values = [cosine_with_mean_difference(fit(RandomConfig(), data, s), data).value for s in range(150)]
    assert sum(values) / 150 == pytest.approx(random_cosine(16), abs=0.04)


def test_the_cosine_of_a_random_direction_by_hand():
    # On a circle the mean of |cos| is 2 / pi, on a sphere 1 / 2.
    assert random_cosine(2) == pytest.approx(2 / math.pi)
    assert random_cosine(3) == pytest.approx(0.5)
