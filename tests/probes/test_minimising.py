"""Many problems at once: each ends at its own minimum."""

import pytest
import torch

from monosema.probes.minimising import minimise


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("condition", [1.0, 1e4])
def test_quadratics_of_different_centres_end_at_their_centres(condition: float):
    scales, centres = torch.logspace(0, torch.tensor(condition).log10().item(), 6, dtype=torch.float64), drawn(4, 6)

    def objective(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        off = x - centres
        return (scales * off.square()).sum(1) / 2, scales * off

    found = minimise(objective, torch.zeros(4, 6, dtype=torch.float64), 500, 1e-10)
    assert found.converged.all()
    torch.testing.assert_close(found.x, centres, rtol=1e-8, atol=1e-9)


def test_a_valley_is_followed_to_its_end():
    # Rosenbrock's: from (-1.2, 1) to (1, 1), where the loss is 0.
    def objective(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        a, b = x[:, 0], x[:, 1]
        loss = (1 - a) ** 2 + 100 * (b - a**2) ** 2
        return loss, torch.stack([-2 * (1 - a) - 400 * a * (b - a**2), 200 * (b - a**2)], 1)

    found = minimise(objective, torch.tensor([[-1.2, 1.0], [3.0, -4.0]], dtype=torch.float64), 500, 1e-9)
    torch.testing.assert_close(found.x, torch.ones(2, 2, dtype=torch.float64), rtol=0, atol=1e-8)


def test_a_kink_is_no_end():
    # |a| + b^2, whose gradient jumps along a = 0.
    def objective(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        a, b = x[:, 0], x[:, 1]
        return a.abs() + b**2, torch.stack([a.sign(), 2 * b], 1)

    found = minimise(objective, torch.tensor([[0.7, 3.0]], dtype=torch.float64), 500, 1e-9)
    assert float(found.loss) < 1e-3


def test_one_that_begins_at_its_minimum_stands_still():
    def objective(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.square().sum(1), 2 * x

    start = torch.tensor([[0.0, 0.0], [5.0, 1.0]], dtype=torch.float64)
    found = minimise(objective, start, 100, 1e-8)
    assert found.x[0].tolist() == [0.0, 0.0] and found.converged.tolist() == [True, True]


def test_the_steps_asked_for_are_the_most():
    def objective(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.pow(4).sum(1), 4 * x.pow(3)

    found = minimise(objective, torch.full((1, 3), 9.0, dtype=torch.float64), 1, 1e-12)
    assert not found.converged.any() and 0 < float(found.loss) < 3 * 9.0**4
