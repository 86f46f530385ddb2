"""What absorption is worth: the exact difference, and what a tied encoder cannot do."""

import math

import pytest
import torch

from monosema.toys.ledger import (
    BREAK_EVEN,
    absorption_ledger,
    best_code_loss,
    decoder_at,
    expected_difference,
    tied_loss,
)


@pytest.mark.parametrize("lam", [0.05, 0.3, 1.0, 2.0])
@pytest.mark.parametrize("q0, q1", [(0.5, 0.5), (0.2, 0.1), (0.0, 1.0)])
def test_the_difference_is_the_formula(lam: float, q0: float, q1: float):
    own, absorbed = (absorption_ledger(angle, lam, q0, q1).untied for angle in (0.0, 45.0))
    assert absorbed - own == pytest.approx(-q1 * ((2 - math.sqrt(2)) * lam - lam**2 / 4), abs=1e-12)
    assert absorbed - own == pytest.approx(expected_difference(lam, q1), abs=1e-12)


def test_the_formula_turns_at_2_34():
    assert pytest.approx(2.343, abs=1e-3) == BREAK_EVEN
    assert expected_difference(BREAK_EVEN - 0.01, 1.0) < 0 < expected_difference(BREAK_EVEN + 0.01, 1.0)


def test_best_codes_are_those_of_a_lasso_by_hand():
    # Orthonormal rows: each code is its product less lam / 2, if that is positive.
    x = torch.tensor([1.0, 0.1], dtype=torch.float64)
    by_hand = (0.2**2 + 0.1**2) + 0.4 * 0.8
    assert best_code_loss(torch.eye(2, dtype=torch.float64), x, 0.4) == pytest.approx(by_hand)


def test_best_codes_are_better_than_any_others():
    random = torch.Generator().manual_seed(0)
    decoder = torch.nn.functional.normalize(torch.randn(2, 3, generator=random, dtype=torch.float64), dim=1)
    x = torch.randn(3, generator=random, dtype=torch.float64)
    best = best_code_loss(decoder, x, 0.3)
    a = 2 * torch.rand(50_000, 2, generator=random, dtype=torch.float64)
    others = (x - a @ decoder).square().sum(1) + 0.3 * a.sum(1)
    assert best <= float(others.min()) <= best + 0.01


@pytest.mark.parametrize("lam", [0.1, 0.3])
def test_a_tied_encoder_loses_by_absorbing(lam: float):
    own, absorbed = (absorption_ledger(angle, lam, 0.5, 0.5) for angle in (0.0, 45.0))
    assert own.tied == pytest.approx(own.untied, abs=1e-6)  # nothing is lost where directions are orthogonal
    assert absorbed.untied < own.untied - 0.02
    assert absorbed.tied > own.tied + 0.04


def test_no_bias_of_a_tied_encoder_is_better_than_the_one_found():
    decoder = decoder_at(45.0)
    random = torch.Generator().manual_seed(1)
    best = tied_loss(decoder, 0.3, 0.5, 0.5)
    b = 3 * torch.rand(100_000, 2, generator=random, dtype=torch.float64) - 2
    losses = torch.zeros(len(b), dtype=torch.float64)
    for x in torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64):
        a = (decoder @ x + b).relu()
        losses += 0.5 * ((x - a @ decoder).square().sum(1) + 0.3 * a.sum(1))
    assert best <= float(losses.min()) + 1e-9
    assert float(losses.min()) < best + 0.01
