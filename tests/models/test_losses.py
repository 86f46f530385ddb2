"""The next-token loss, against torch's own and by hand."""

import math

import pytest
import torch
from torch.nn import functional

from monosema.models import losses, next_token_loss


@pytest.mark.parametrize("chunk", [1, 10, 53 * 5, 2**24])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_is_torchs_cross_entropy_however_it_is_cut(monkeypatch, chunk, dtype):
    monkeypatch.setattr(losses, "CHUNK", chunk)
    logits = (4 * torch.randn(3, 9, 53, generator=torch.Generator().manual_seed(0))).to(dtype)
    tokens = torch.randint(53, (3, 9), generator=torch.Generator().manual_seed(1))
    rows, targets = logits[:, :-1].reshape(-1, 53).float(), tokens[:, 1:].reshape(-1)
    theirs = functional.cross_entropy(rows, targets, reduction="none").view(3, 8)
    assert torch.equal(next_token_loss(logits, tokens), theirs)


def test_a_worked_case():
    # p = (1/4, 3/4) at every position: log 4 where token 0 comes next, log 4/3 where token 1 does.
    logits = torch.tensor([0.0, math.log(3.0)]).expand(1, 4, 2)
    expected = torch.tensor([[math.log(4 / 3), math.log(4), math.log(4 / 3)]])
    assert torch.allclose(next_token_loss(logits, torch.tensor([[0, 1, 0, 1]])), expected, atol=1e-6)


def test_the_last_position_has_no_say():
    logits = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0))
    tokens = torch.randint(7, (2, 5), generator=torch.Generator().manual_seed(1))
    clean = next_token_loss(logits, tokens)
    logits[:, -1] = float("nan")
    assert torch.equal(next_token_loss(logits, tokens), clean)


def test_gradients_are_those_of_the_mean_loss(monkeypatch):
    monkeypatch.setattr(losses, "CHUNK", 20)
    logits = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0)).requires_grad_()
    tokens = torch.randint(7, (2, 5), generator=torch.Generator().manual_seed(1))
    ours = torch.autograd.grad(next_token_loss(logits, tokens).mean(), logits)[0]
    expected = (logits.softmax(-1)[:, :-1] - functional.one_hot(tokens[:, 1:], 7)) / 8
    assert torch.allclose(ours[:, :-1], expected, atol=1e-7)
    assert not ours[:, -1].any()
