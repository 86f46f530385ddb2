"""The compiled kernels, at sizes that take many tiles. Only where there is a CUDA device."""

from typing import Any

import pytest
import torch
from torch import Tensor

from monosema.dictionaries.codes import SparseCodes

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture(scope="module")
def backend() -> Any:
    from monosema.dictionaries.kernels import triton

    return triton


def draw(batch: int = 1111, d: int = 777, n: int = 20_011) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator(device="cuda").manual_seed(0)
    x, W = (torch.randn(rows, d, generator=g, device="cuda") for rows in (batch, n))
    b = torch.randn(n, generator=g, device="cuda")
    b[5], x[3] = -1e6, 0
    return x, W, b


def assert_same_but_for_near_ties(codes: SparseCodes, pre: Tensor, expected: Tensor) -> None:
    """Where a place differs from the float64 selection, it is one at the edge, closer than rounding."""
    differs = (codes.dense() != 0) != expected
    edge = torch.where(expected, pre, torch.inf).amin(1, keepdim=True).expand_as(pre)
    assert bool(((pre - edge).abs()[differs] < 1e-3).all())
    assert torch.equal(codes.l0(), expected.sum(1))
    torch.testing.assert_close(codes.values.double(), pre[codes.rows(), codes.indices], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("precision", ["bf16", "f32"])
def test_topk(backend: Any, precision: str):
    x, W, b = draw()
    pre = x.double() @ W.double().T + b.double()
    expected = torch.zeros_like(pre, dtype=torch.bool).scatter_(1, pre.topk(64, dim=1).indices, True) & (pre > 0)
    assert_same_but_for_near_ties(backend.select_topk(x, W, b, 64, precision), pre, expected)


def test_hardly_a_row_is_done_again():
    from monosema.dictionaries.kernels.triton.plan import plan_topk, tile_for
    from monosema.dictionaries.kernels.triton.score import Encoder
    from monosema.dictionaries.kernels.triton.select import topk_by_plan

    x, W, b = draw()
    plan = plan_topk(64, len(W))
    assert plan is not None
    assert topk_by_plan(x, Encoder.of(W, b, tile_for("bf16", x.device), "bf16"), 64, plan).redone < 5


def test_batch_topk_and_a_threshold(backend: Any):
    x, W, b = draw()
    pre = x.double() @ W.double().T + b.double()
    edge = pre.view(-1).topk(64 * len(x)).values.min()
    codes = backend.select_batch_topk(x, W, b, 64 * len(x))
    assert len(codes.values) == 64 * len(x)
    assert bool((pre[codes.rows(), codes.indices] > edge - 1e-3).all())
    theta = torch.full_like(b, float(edge))
    codes = backend.select_above(x, W, b, theta)
    assert bool(((codes.dense() != 0) == (pre > edge))[(pre - edge).abs() > 1e-3].all())


def test_sums(backend: Any):
    x, W, b = draw()
    codes = backend.select_topk(x, W, b, 64)
    f, table, rows = codes.dense().double(), torch.randn_like(W), torch.randn_like(x)
    near = {"rtol": 1e-5, "atol": 2e-3}
    torch.testing.assert_close(backend.sum_by_row(codes, table).double(), f @ table.double(), **near)
    torch.testing.assert_close(backend.sum_by_feature(codes, rows).double(), f.T @ rows.double(), **near)
    pairs = (rows.double() @ table.double().T)[codes.rows(), codes.indices]
    torch.testing.assert_close(backend.products(codes, rows, table).double(), pairs, **near)


def test_the_same_bits_from_run_to_run(backend: Any):
    x, W, b = draw()
    W[100:200] = W[300:400]  # exact ties
    b[100:200] = b[300:400]
    runs = []
    for _ in range(5):
        some = [backend.select_topk(x, W, b, 64), backend.select_batch_topk(x, W, b, 5000)]
        sums = [t for c in some for t in (backend.sum_by_row(c, W), backend.sum_by_feature(c, x))]
        runs.append([t for c in some for t in (c.indices, c.values, c.offsets)] + sums)
    assert all(torch.equal(one, other) for run in runs[1:] for one, other in zip(runs[0], run, strict=True))
