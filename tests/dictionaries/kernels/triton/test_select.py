"""Selections of the interpreted kernels against dense matrices in float64."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from monosema.dictionaries.codes import SparseCodes

from .interpreted import Wish

pytestmark = pytest.mark.slow

Problem = tuple[Tensor, Tensor, Tensor]
Select = Callable[..., tuple[SparseCodes, int]]

B, D, N = 37, 50, 300


def draw(batch: int = B, d: int = D, n: int = N, seed: int = 0) -> Problem:
    g = torch.Generator().manual_seed(seed)
    x, W, b = torch.randn(batch, d, generator=g), torch.randn(n, d, generator=g), torch.randn(n, generator=g)
    b[n // 2] = -1e6  # a dead feature
    return x, W, b


def dense(x: Tensor, W: Tensor, b: Tensor) -> Tensor:
    return x.double() @ W.double().T + b.double()


def largest(pre: Tensor, k: int) -> Tensor:
    """The positive among the k largest of each row; of equal ones the first."""
    order = pre.sort(dim=1, descending=True, stable=True).indices[:, :k]
    return pre * torch.zeros_like(pre).scatter_(1, order, 1.0) * (pre > 0)


def assert_selects(codes: SparseCodes, expected: Tensor) -> None:
    """The same places, in order of row and feature, and the same numbers to rounding."""
    wanted = SparseCodes.from_dense(expected)
    assert torch.equal(codes.offsets, wanted.offsets)
    assert torch.equal(codes.indices, wanted.indices)
    assert codes.values.dtype == torch.float32
    torch.testing.assert_close(codes.values.double(), wanted.values, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("precision", ["bf16", "f32"])
def test_topk_is_the_k_largest_of_each_row(select: Select, precision: Any):
    problem = draw()
    codes, redone = select(Wish("topk", 64, N, 8, precision=precision), *problem, 5)
    assert_selects(codes, largest(dense(*problem), 5))
    assert redone == 0  # the scan itself selected, not the slow path


@pytest.mark.parametrize(("batch", "d", "n", "k"), [(1, 1, 16, 1), (1, 50, 300, 7), (16, 16, 64, 3), (17, 33, 65, 65)])
def test_topk_of_any_shape(select: Select, batch: int, d: int, n: int, k: int):
    problem = draw(batch, d, n)
    assert_selects(select(Wish("topk", 128, n, max(1, n // 32)), *problem, k)[0], largest(dense(*problem), k))


def test_a_sample_of_the_features_gives_the_floor(select: Select):
    # 128 of 600 features, whose 4th highest group of 16 is a floor that about 20 of all reach.
    problem = draw(n=600)
    codes, redone = select(Wish("topk", 128, 128, 4), *problem, 4)
    assert_selects(codes, largest(dense(*problem), 4))
    assert redone < B / 4


def test_zero_rows_and_negative_rows_select_nothing(select: Select):
    x, W, _ = draw()
    b = torch.zeros(N)
    x[3] = 0
    W[:, 0] = -W[:, 1:].abs().sum(1) * 10  # row 5 has only its first coordinate: every feature is negative there
    x[5] = torch.zeros(D).index_fill(0, torch.tensor([0]), 1.0)
    codes, redone = select(Wish("topk", 512, N, 12), x, W, b, 5)
    assert codes.l0()[[3, 5]].tolist() == [0, 0]
    assert_selects(codes, largest(dense(x, W, b), 5))
    assert redone == 0


def test_ties_go_to_the_lower_feature_and_never_exceed_k(select: Select):
    x, W, b = torch.ones(4, 2), torch.ones(90, 2), torch.zeros(90)
    codes, redone = select(Wish("topk", 128, 90, 3), x, W, b, 3)
    assert codes.indices.tolist() == [0, 1, 2] * 4
    assert redone == 0
    assert len(select(Wish("batch", 128, floor=1.0), x, W, b, 10)[0].values) == 10


def test_rows_whose_lists_overflow_are_done_again(select: Select):
    problem = draw()
    codes, redone = select(Wish("topk", 8, N, 12), *problem, 5)
    assert_selects(codes, largest(dense(*problem), 5))
    assert redone == B


def test_rows_whose_floor_is_too_high_are_done_again(select: Select):
    problem = draw()
    codes, redone = select(Wish("topk", 64, N, 1), *problem, 5)  # the floor is the row's maximum
    assert_selects(codes, largest(dense(*problem), 5))
    assert redone == B


def test_a_pair_that_bfloat16_confuses(select: Select):
    # bfloat16 holds 1.0078125 but makes 1.0038 a 1, whether it rounds or cuts off; then .0049 is added to it.
    x, W = torch.ones(1, 2), torch.zeros(64, 2)
    W[10], W[20] = torch.tensor([1.0078125, 0.0]), torch.tensor([1.0038, 0.0048828125])
    assert (x.bfloat16().float() @ W.bfloat16().float().T).argmax(1).tolist() == [10]
    codes, redone = select(Wish("topk", 64, 64, 1), x, W, torch.zeros(64), 1)
    assert codes.indices.tolist() == [20]
    assert redone == 0


def test_bfloat16_alone_would_choose_wrongly_where_the_scan_does_not(select: Select):
    x, W, b = draw(64, 100, 300, seed=1)
    W[150:], b[150:] = W[:150] + 0.001 * W[150:], b[:150]  # pairs closer than bfloat16 can tell
    expected = largest(dense(x, W, b), 9)
    rounded = largest(dense(x.bfloat16(), W.bfloat16(), b), 9)
    assert int(((rounded > 0) != (expected > 0)).any(1).sum()) > 10
    codes, redone = select(Wish("topk", 128, 300, 9), x, W, b, 9)
    assert_selects(codes, expected)
    assert redone == 0


@given(st.integers(0, 2**31), st.integers(1, 20), st.integers(1, 6), st.integers(1, 70), st.data())
@settings(max_examples=12)
def test_small_integers_where_everything_ties(
    interpreter: Any, seed: int, batch: int, d: int, n: int, data: st.DataObject
):
    # Whole numbers are exact in every precision, so places must agree as well, ties included.
    from .interpreted import packed, unpacked
    from .interpreted import select as interpreted_select

    g = torch.Generator().manual_seed(seed)
    x, W = (torch.randint(-2, 3, (rows, d), generator=g).float() for rows in (batch, n))
    b = torch.randint(-2, 3, (n,), generator=g).float()
    k = data.draw(st.integers(1, n))
    wish = Wish("topk", data.draw(st.sampled_from([16, 128])), n, 1)
    done = interpreter.submit(interpreted_select, wish, *map(packed, (x, W, b, k)))
    codes, pre = unpacked(done.result()[0]), dense(x, W, b)
    expected = largest(pre, k)
    assert torch.equal(codes.l0(), (expected > 0).sum(1))
    torch.testing.assert_close(codes.dense().double().sort(1).values, expected.sort(1).values, rtol=0, atol=0)
    assert torch.equal(codes.values.double(), pre[codes.rows(), codes.indices])


@pytest.mark.parametrize("precision", ["bf16", "f32"])
@pytest.mark.parametrize("total", [0, 1, 100, B * N])
def test_batch_topk_is_the_largest_of_the_batch(select: Select, precision: Any, total: int):
    problem = draw()
    floor = 15.0 if total <= 100 else 0.0
    codes, redone = select(Wish("batch", 512, floor=floor, precision=precision), *problem, total)
    assert_selects(codes, largest(dense(*problem).view(1, -1), total).view(B, N))
    assert redone == 0


@pytest.mark.parametrize(("capacity", "floor"), [(4, 10.0), (512, 30.0)], ids=["overflow", "floor too high"])
def test_batch_topk_falls_back(select: Select, capacity: int, floor: float):
    problem = draw()
    codes, redone = select(Wish("batch", capacity, floor=floor), *problem, 200)
    assert_selects(codes, largest(dense(*problem).view(1, -1), 200).view(B, N))
    assert redone > 0


@pytest.mark.parametrize("capacity", [512, 4], ids=["room", "overflow"])
@pytest.mark.parametrize("low", [0.0, 8.0, -1.5])
def test_above_is_a_threshold_for_each_feature(select: Select, capacity: int, low: float):
    problem = draw()
    theta = torch.linspace(low, low + 2, N)
    pre = dense(*problem)
    codes, redone = select(Wish("above", capacity), *problem, theta)
    assert_selects(codes, pre * (pre > theta))
    assert (redone > 0) == (capacity == 4)
    codes, _ = select(Wish("above", capacity), *problem, low)
    assert_selects(codes, pre * (pre > low))


def test_the_public_selections_find_their_own_plan(call: Callable[..., Any]):
    x, W, b = draw(20, 16, 2500)
    pre = dense(x, W, b)
    assert_selects(call("select_topk", x, W, b, 4), largest(pre, 4))
    assert_selects(call("select_topk", x, W, b, 2500), largest(pre, 2500))
    assert_selects(call("select_above", x, W, b, 11.0), pre * (pre > 11.0))
    assert_selects(call("select_above", x, W, b), pre.relu())
    assert_selects(call("select_batch_topk", x, W, b, 60), largest(pre.view(1, -1), 60).view(20, 2500))
    assert_selects(call("select_batch_topk", x, W, b, 10**6), pre.relu())
    for name, number in (("select_topk", 4), ("select_above", 1.0), ("select_batch_topk", 5)):
        assert len(call(name, x[:0], W, b, number)) == 0
