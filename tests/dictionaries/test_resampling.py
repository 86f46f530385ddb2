"""Resampling to the letter of Bricken et al. 2023, on a case worked out by hand."""

import torch

from monosema.core.seeding import generator
from monosema.dictionaries.l1 import L1, L1Config
from monosema.dictionaries.resampling import resample, row_losses
from monosema.dictionaries.weights import Weights

# Two living features along the axes 0 and 1 with encoder norms 1 and 3 (mean 2), one dead along axis 2.
# Row 0 is reconstructed exactly; row 1 lies along axis 2, which nothing reaches: all the loss is there.
W_DEC = torch.eye(3)
W_ENC = torch.diag(torch.tensor([1.0, 3.0, 1.0]))
DEAD = torch.tensor([False, False, True])
ROWS = torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, -4.0]])


def weights() -> Weights:
    return Weights(W_ENC.clone(), W_DEC.clone(), torch.tensor([0.0, 0.0, -9.0]), torch.zeros(3), True)


def rows():
    yield ROWS, ROWS


def test_losses_are_error_plus_penalty():
    losses = row_losses(weights(), L1(L1Config(3)), ROWS, ROWS, 0.5)
    assert losses.tolist() == [0.5 * 2.0, 16.0]


def test_a_dead_feature_takes_the_direction_of_what_is_missed():
    w = weights()
    changed = resample(w, L1(L1Config(3)), DEAD, rows, 0.0, generator(0))
    assert changed.tolist() == [2]
    assert torch.equal(w.W_dec[2], torch.tensor([0.0, 0.0, -1.0]))  # the input, at unit norm
    torch.testing.assert_close(w.W_enc[2], torch.tensor([0.0, 0.0, -0.4]))  # 0.2 x the mean norm 2
    assert float(w.b_enc[2]) == 0.0
    assert torch.equal(w.W_dec[:2], W_DEC[:2]) and torch.equal(w.W_enc[:2], W_ENC[:2])


def test_inputs_are_drawn_by_the_square_of_their_loss():
    # Errors 1 and 2 give losses 1 and 4, squares 1 and 16: the second is drawn 16/17 of the time.
    data = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -2.0]])
    n = 4000
    dead = torch.ones(n, dtype=torch.bool)
    w = Weights(torch.zeros(n, 3), torch.zeros(n, 3), torch.zeros(n), torch.zeros(3), True)
    resample(w, L1(L1Config(n)), dead, lambda: iter([(data[:1], data[:1]), (data[1:], data[1:])]), 0.0, generator(0))
    second = float((w.W_dec[:, 2] < 0).double().mean())
    assert abs(second - 16 / 17) < 4 * (16 / 17 / 17 / n) ** 0.5


def test_nothing_dead_changes_nothing():
    w = weights()
    assert len(resample(w, L1(L1Config(3)), torch.zeros(3, dtype=torch.bool), rows, 0.0, generator(0))) == 0
    assert torch.equal(w.W_enc, W_ENC)
