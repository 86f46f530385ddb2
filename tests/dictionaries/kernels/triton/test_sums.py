"""Sums and products of the interpreted kernels against dense matrices in float64, and against autograd."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from monosema.dictionaries.codes import SparseCodes

Call = Callable[..., Any]


def sparse_codes(batch: int, n_features: int, share: float, seed: int = 0) -> SparseCodes:
    """About `share` of all entries, of both signs; the first row and the last feature are empty."""
    g = torch.Generator().manual_seed(seed)
    f = torch.randn(batch, n_features, generator=g) * (torch.rand(batch, n_features, generator=g) < share)
    f[0], f[:, -1] = 0, 0
    return SparseCodes.from_dense(f)


def assert_sums(call: Call, codes: SparseCodes, d: int) -> None:
    g = torch.Generator().manual_seed(1)
    table, rows = torch.randn(codes.n_features, d, generator=g), torch.randn(len(codes), d, generator=g)
    f = codes.dense().double()
    near = {"rtol": 1e-5, "atol": 1e-4}
    torch.testing.assert_close(call("sum_by_row", codes, table).double(), f @ table.double(), **near)
    torch.testing.assert_close(call("sum_by_feature", codes, rows).double(), f.T @ rows.double(), **near)
    products = (rows.double() @ table.double().T)[codes.rows(), codes.indices]
    torch.testing.assert_close(call("products", codes, rows, table).double(), products, **near)


@pytest.mark.parametrize("d", [1, 33, 300])  # 300: more columns than one program takes
@pytest.mark.parametrize("share", [0.02, 0.5], ids=["sparse", "dense"])
def test_sums_over_what_fired(call: Call, d: int, share: float):
    assert_sums(call, sparse_codes(23, 90, share), d)


def test_long_bags_are_cut_up_and_added_again(call: Call):
    # Features 1 and 4 fire on 1,200 rows: three pieces of at most 512 entries, beside bags that are whole.
    f = torch.zeros(1200, 90)
    f[:, 1], f[:, 4], f[7, 3] = torch.linspace(-1, 1, 1200), 1.0, 2.0
    codes, rows = SparseCodes.from_dense(f), torch.linspace(0, 1, 1200)[:, None] ** torch.arange(1, 4)
    sums = call("sum_by_feature", codes, rows)
    torch.testing.assert_close(sums.double(), f.double().T @ rows.double(), rtol=1e-5, atol=1e-4)
    assert float(sums[0].abs().sum()) == 0


def test_nothing_fires(call: Call):
    codes = SparseCodes.from_dense(torch.zeros(3, 90))
    assert torch.equal(call("sum_by_row", codes, torch.ones(90, 5)), torch.zeros(3, 5))
    assert torch.equal(call("sum_by_feature", codes, torch.ones(3, 5)), torch.zeros(90, 5))
    assert call("products", codes, torch.ones(3, 5), torch.ones(90, 5)).shape == (0,)


@pytest.mark.slow
def test_gradients_equal_dense_autograd(call: Call):
    g = torch.Generator().manual_seed(3)
    x, y = torch.randn(30, 12, generator=g), torch.randn(30, 12, generator=g)
    W_enc, W_dec = (torch.randn(300, 12, generator=g).requires_grad_() for _ in range(2))
    b_enc = torch.randn(300, generator=g).requires_grad_()
    codes = call("select_topk", x, W_enc.detach(), b_enc.detach(), 4)
    f = (x @ W_enc.T + b_enc) * (codes.dense() != 0)
    (f @ W_dec - y).square().sum().backward()

    dy = 2 * (call("sum_by_row", codes, W_dec.detach()) - y)
    dcodes = codes.with_values(call("products", codes, dy, W_dec.detach()))
    near = {"rtol": 1e-5, "atol": 1e-4}
    torch.testing.assert_close(call("sum_by_feature", codes, dy), W_dec.grad, **near)
    torch.testing.assert_close(call("sum_by_feature", dcodes, x), W_enc.grad, **near)
    assert W_enc.grad is not None and float(W_enc.grad.abs().sum()) > 0
