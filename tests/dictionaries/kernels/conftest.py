"""One small problem, and every backend that runs here, in every precision of the scan."""

import pytest
import torch

B, D_IN, D_OUT, N = 37, 5, 6, 23

BACKENDS = {
    "plain, exact": ("plain", "float32", torch.float64),
    "plain, float32": ("plain", "float32", torch.float32),
    "plain, bfloat16": ("plain", "bfloat16", torch.float32),
    "compiled, float32": ("compiled", "float32", torch.float32),
    "compiled, bfloat16": ("compiled", "bfloat16", torch.float32),
}

Problem = dict[str, torch.Tensor]


@pytest.fixture(params=BACKENDS.values(), ids=BACKENDS)
def dtype(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> torch.dtype:
    """Each backend in turn; the precision of its numbers."""
    backend, scan, dtype = request.param
    monkeypatch.setenv("MONOSEMA_KERNELS", backend)
    monkeypatch.setenv("MONOSEMA_SCAN", scan)
    return dtype


@pytest.fixture
def problem(dtype: torch.dtype) -> Problem:
    g = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=g, dtype=torch.float64).to(dtype)

    tensors = {
        "x": draw(B, D_IN),
        "W_enc": draw(N, D_IN),
        "b_enc": draw(N),
        "W_dec": draw(N, D_OUT),
        "y": draw(B, D_OUT),
    }
    tensors["x"][3] = 0.0  # a zero row
    tensors["b_enc"][4] = -1e6  # a dead feature
    return tensors


def close(got: torch.Tensor | None, expected: torch.Tensor) -> None:
    """Equal to rounding of the precision `got` is in."""
    assert got is not None
    tolerance = 1e-11 if got.dtype is torch.float64 else 2e-5
    torch.testing.assert_close(got.double(), expected.double(), rtol=tolerance, atol=tolerance)
