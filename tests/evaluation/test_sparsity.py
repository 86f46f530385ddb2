"""How many features fire, how strongly, how often."""

import pytest
import torch

from monosema.evaluation import score_codes
from monosema.evaluation.sparsity import Frequencies

X = torch.zeros(4, 2)
#                  never  always  half   once
F = torch.tensor([[0.0, 1.0, 2.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 4.0, 0.0], [0.0, 1.0, 0.0, 8.0]])


def test_l0_is_the_sum_of_the_frequencies(toy):
    batches = toy.batches(X, X, (3, 1), codes=F)
    frequencies = Frequencies()
    for batch in batches:
        frequencies.update(batch)
    assert frequencies.rates().tolist() == [0.0, 1.0, 0.5, 0.25]
    assert score_codes(batches)["l0"].value == 1.75


def test_l1_weighs_codes_with_their_decoder_rows(toy):
    decoder = torch.tensor([[9.0, 9.0], [3.0, 4.0], [0.0, 1.0], [0.5, 0.0]])
    # 4 times 1 at length 5, 2 and 4 at length 1, 8 at length .5: 30 over 4 tokens.
    assert score_codes(toy.batches(X, X, codes=F, decoder=decoder))["l1"].value == 7.5


def test_l1_does_not_change_when_scale_moves_from_code_to_decoder(toy):
    decoder = torch.randn(4, 2, generator=torch.Generator().manual_seed(0)).double()
    scale = torch.tensor([1.0, 2.0, 4.0, 8.0]).double()
    before = score_codes(toy.batches(X, X, codes=F, decoder=decoder))["l1"].value
    after = score_codes(toy.batches(X, X, codes=(F / scale).float(), decoder=decoder * scale[:, None]))["l1"].value
    assert after == pytest.approx(before)


def test_alive_is_an_exact_share_of_the_features(toy):
    alive = score_codes(toy.batches(X, X, (1, 3), codes=F))["alive"]
    assert (alive.value, alive.low, alive.high, alive.n, alive.unit) == (0.75, 0.75, 0.75, 4, "features")


def test_histogram_puts_a_rate_on_its_edge_to_the_right_and_keeps_the_ends(toy):
    frequencies = Frequencies()
    f = torch.zeros(100, 4)
    f[:, 0], f[:10, 1], f[:1, 2] = 1.0, 1.0, 1.0  # log10 rates 0, -1, -2; the fourth never fires
    for batch in toy.batches(torch.zeros(100, 1), torch.zeros(100, 1), codes=f):
        frequencies.update(batch)
    assert frequencies.histogram((-1.5, -1.0, -0.5, 0.0)) == ((1, 1, 1), 1)
