"""Gradients through sparse codes against dense autograd, in every backend: the same to rounding."""

from collections.abc import Callable

import pytest
import torch

from monosema.dictionaries import SparseCodes
from monosema.dictionaries.kernels import decode, plain, pre_activations, select_topk, squared_error
from tests.dictionaries.kernels.conftest import D_IN, D_OUT, N, Problem, close

Loss = Callable[[SparseCodes, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]

LOSSES: dict[str, Loss] = {
    "decode": lambda codes, W_dec, b_dec, y: (decode(codes, W_dec, b_dec) - y).square().sum(),
    "squared error": lambda codes, W_dec, b_dec, y: squared_error(codes, W_dec, b_dec, y)[0],
}


@pytest.mark.parametrize("dense_share", [0.0, 2.0], ids=["as a dense product", "as sparse sums"])
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("k", [3, N])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_gradients_equal_dense_autograd(
    problem: Problem, dense_share: float, centred: bool, k: int, loss: Loss, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(plain, "DENSE_SHARE", dense_share)
    g, dtype = torch.Generator().manual_seed(2), problem["x"].dtype
    names = ["W_enc", "b_enc", "W_dec", "b_dec"]
    start = {**problem, "b_dec": torch.randn(D_IN if centred else D_OUT, generator=g).to(dtype)}
    if centred:
        start["W_dec"], start["y"] = torch.randn(N, D_IN, generator=g).to(dtype), problem["x"]

    sparse = {name: start[name].clone().requires_grad_() for name in names}
    x = (start["x"] - sparse["b_dec"]).detach() if centred else start["x"]
    codes = select_topk(x, sparse["W_enc"], sparse["b_enc"], k)
    centre = sparse["b_dec"] if centred else None
    values = pre_activations(x, centre, sparse["W_enc"], sparse["b_enc"], codes)
    (1.7 * loss(codes.with_values(values), sparse["W_dec"], sparse["b_dec"], start["y"])).backward()

    dense = {name: start[name].double().requires_grad_() for name in names}
    x = start["x"].double() - dense["b_dec"] if centred else start["x"].double()
    pre = x @ dense["W_enc"].T + dense["b_enc"]
    f = pre * (codes.dense() != 0)
    (1.7 * (f @ dense["W_dec"] + dense["b_dec"] - start["y"].double()).square().sum()).backward()

    for name in names:
        expected = dense[name].grad
        assert expected is not None and float(expected.abs().sum()) > 0
        scale = float(expected.abs().max())
        close(sparse[name].grad / scale, expected / scale)


def test_squared_error_is_that_of_the_reconstruction(problem: Problem):
    codes = select_topk(problem["x"], problem["W_enc"], problem["b_enc"], 3)
    b_dec = torch.zeros(D_OUT, dtype=problem["x"].dtype)
    total, error = squared_error(codes, problem["W_dec"], b_dec, problem["y"])
    expected = codes.dense() @ problem["W_dec"] - problem["y"]
    close(error, expected)
    close(total / len(error), expected.square().sum() / len(error))


def test_wide_rows_are_summed_slice_by_slice(dtype: torch.dtype):
    # 300 columns are 2 slices of 128 and a rest; feature 0 has 9 entries: two times four and one.
    g = torch.Generator().manual_seed(3)
    f = torch.rand(9, 40, generator=g) * (torch.rand(9, 40, generator=g) < 0.05)
    f[:, 0] = 1.0
    rows, W = torch.randn(9, 300, generator=g), torch.randn(40, 300, generator=g, requires_grad=True)
    total, _ = squared_error(
        SparseCodes.from_dense(f.to(dtype)), W.to(dtype), torch.zeros(300, dtype=dtype), rows.to(dtype)
    )
    total.backward()
    expected = 2 * f.double().T @ (f.double() @ W.detach().double() - rows.double())
    close(W.grad / 300, expected / 300)


def test_codes_without_any_entry(dtype: torch.dtype):
    empty = SparseCodes.from_dense(torch.zeros(3, N, dtype=dtype))
    W = torch.randn(N, D_OUT, dtype=dtype, requires_grad=True)
    y = decode(empty, W, torch.ones(D_OUT, dtype=dtype))
    y.sum().backward()
    assert torch.equal(y.detach(), torch.ones(3, D_OUT, dtype=dtype))
    assert W.grad is not None and float(W.grad.abs().sum()) == 0
    total, _ = squared_error(empty, W, torch.ones(D_OUT, dtype=dtype), torch.zeros(3, D_OUT, dtype=dtype))
    assert float(total.detach()) == pytest.approx(3 * D_OUT)


def test_one_row(dtype: torch.dtype):
    codes = SparseCodes.from_dense(torch.tensor([[0.0, 2.0, 0.0]], dtype=dtype))
    W = torch.tensor([[9.0], [3.0], [9.0]], dtype=dtype, requires_grad=True)
    total, error = squared_error(codes, W, torch.ones(1, dtype=dtype), torch.zeros(1, 1, dtype=dtype))
    total.backward()  # (2 x 3 + 1)^2 = 49; by W[1]: 2 x 7 x 2
    assert float(total.detach()) == pytest.approx(49) and error.tolist() == [[7.0]]
    assert W.grad is not None and W.grad.tolist() == [[0.0], [28.0], [0.0]]
