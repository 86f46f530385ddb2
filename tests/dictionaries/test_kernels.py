"""Kernels against dense matrices: the same selection, and the same gradients to rounding."""

import pytest
import torch

from monosema.dictionaries import SparseCodes
from monosema.dictionaries.kernels import (
    decode,
    gradients,
    pre_activations,
    select,
    select_above,
    select_batch_topk,
    select_topk,
)

B, D_IN, D_OUT, N = 37, 5, 6, 23


@pytest.fixture
def problem() -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=g, dtype=torch.float64)

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


def dense_pre(p: dict[str, torch.Tensor]) -> torch.Tensor:
    return p["x"] @ p["W_enc"].T + p["b_enc"]


def largest(pre: torch.Tensor, k: int) -> torch.Tensor:
    """Positive entries among the k largest of each row, by sorting."""
    rank = pre.argsort(1, descending=True).argsort(1)
    return pre * (rank < k) * (pre > 0)


@pytest.fixture(params=[1, 7 * N, 1 << 22], ids=["one row a chunk", "seven", "all"])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(select, "CHUNK_ELEMENTS", request.param)


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("k", [1, 4, N])
def test_topk_is_the_k_largest_of_each_row(problem: dict[str, torch.Tensor], k: int):
    codes = select_topk(problem["x"], problem["W_enc"], problem["b_enc"], k)
    torch.testing.assert_close(codes.dense(), largest(dense_pre(problem), k))


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("total", [1, 40, 300, B * N])
@pytest.mark.parametrize("sample", [1, 256])
def test_batch_topk_is_the_largest_of_the_batch(
    problem: dict[str, torch.Tensor], total: int, sample: int, monkeypatch: pytest.MonkeyPatch
):
    # One sampled row gives a floor far too high: the fallback must still be exact.
    monkeypatch.setattr(select, "SAMPLE_ROWS", sample)
    codes = select_batch_topk(problem["x"], problem["W_enc"], problem["b_enc"], total)
    flat = dense_pre(problem).view(1, -1)
    torch.testing.assert_close(codes.dense(), largest(flat, total).view(B, N))


@pytest.mark.usefixtures("chunk")
def test_above_is_a_relu_and_a_threshold(problem: dict[str, torch.Tensor]):
    pre = dense_pre(problem)
    theta = torch.linspace(0, 2, N, dtype=torch.float64)
    torch.testing.assert_close(select_above(problem["x"], problem["W_enc"], problem["b_enc"]).dense(), pre.relu())
    codes = select_above(problem["x"], problem["W_enc"], problem["b_enc"], theta)
    torch.testing.assert_close(codes.dense(), pre * (pre > theta))


def test_ties_are_broken_to_exactly_k():
    x, W = torch.ones(4, 2), torch.ones(9, 2)
    assert select_topk(x, W, torch.zeros(9), 3).l0().tolist() == [3, 3, 3, 3]
    assert len(select_batch_topk(x, W, torch.zeros(9), 10).values) == 10


@pytest.mark.parametrize("dense_share", [0.0, 2.0], ids=["as a dense product", "as sparse sums"])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("k", [3, N])
def test_gradients_equal_dense_autograd(
    problem: dict[str, torch.Tensor], dense_share: float, centred: bool, k: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(gradients, "DENSE_SHARE", dense_share)
    names = ["W_enc", "b_enc", "W_dec", "b_dec"]
    start = {**problem, "b_dec": torch.randn(D_IN if centred else D_OUT, dtype=torch.float64)}
    if centred:
        start["W_dec"], start["y"] = torch.randn(N, D_IN, dtype=torch.float64), problem["x"]

    sparse = {name: start[name].clone().requires_grad_() for name in names}
    x = (start["x"] - sparse["b_dec"]).detach() if centred else start["x"]
    codes = select_topk(x, sparse["W_enc"], sparse["b_enc"], k)
    centre = sparse["b_dec"] if centred else None
    values = pre_activations(x, centre, sparse["W_enc"], sparse["b_enc"], codes)
    decode(codes.with_values(values), sparse["W_dec"], sparse["b_dec"]).sub(start["y"]).square().sum().backward()

    dense = {name: start[name].clone().requires_grad_() for name in names}
    x = start["x"] - dense["b_dec"] if centred else start["x"]
    pre = x @ dense["W_enc"].T + dense["b_enc"]
    f = pre * (codes.dense() != 0)
    (f @ dense["W_dec"] + dense["b_dec"]).sub(start["y"]).square().sum().backward()

    for name in names:
        torch.testing.assert_close(sparse[name].grad, dense[name].grad, rtol=1e-12, atol=1e-11)
    assert dense["W_enc"].grad is not None and float(dense["W_enc"].grad.abs().sum()) > 0


def test_codes_without_any_entry():
    empty = SparseCodes.from_dense(torch.zeros(3, N))
    W = torch.randn(N, D_OUT, requires_grad=True)
    y = decode(empty, W, torch.ones(D_OUT))
    y.sum().backward()
    assert torch.equal(y.detach(), torch.ones(3, D_OUT))
    assert W.grad is not None and float(W.grad.abs().sum()) == 0
