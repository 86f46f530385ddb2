"""Norms are told apart by what they give, in every precision, and anything else is refused."""

import pytest
import torch
from torch import nn

from monosema.core.errors import MismatchError
from monosema.models.norms import recognise


class Root(nn.Module):
    """RMSNorm with the gain stored as itself (offset 0) or as its difference from one (offset 1)."""

    def __init__(self, d: int, offset: float) -> None:
        super().__init__()
        self.weight, self.offset = nn.Parameter(torch.randn(d)), offset

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.float() * torch.rsqrt(x.float().square().mean(-1, keepdim=True) + 1e-5)
        return (y * (self.offset + self.weight.float())).to(x.dtype)


class Largest(nn.Module):
    """A norm of another kind: divides by the largest coordinate."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(d))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight * x / x.abs().amax(-1, keepdim=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("d", [16, 1024])
def test_each_kind_is_recognised(d, dtype):
    torch.manual_seed(0)
    layer = nn.LayerNorm(d)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    cases = [(layer, 0.0, True), (Root(d, 0.0), 0.0, False), (Root(d, 1.0), 1.0, False)]
    for module, offset, centred in cases:
        norm = recognise(module.to(dtype), d)
        assert norm.centred == centred
        assert torch.equal(norm.gain, module.weight.detach().float() + offset)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_another_kind_is_refused(dtype):
    torch.manual_seed(0)
    with pytest.raises(MismatchError, match="Largest is neither LayerNorm nor RMSNorm"):
        recognise(Largest(64).to(dtype), 64)
