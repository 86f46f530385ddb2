"""Selection against dense matrices, in every backend and precision of the scan: the same features fire."""

import pytest
import torch

from monosema.core.errors import ConfigError
from monosema.core.precision import float32_products, keeps_float32
from monosema.dictionaries.codes import SparseCodes
from monosema.dictionaries.kernels import batch, compiled, scan, select_above, select_batch_topk, select_topk
from monosema.dictionaries.kernels.backends import backend_name
from monosema.dictionaries.kernels.plain import halved
from tests.dictionaries.kernels.conftest import B, N, Problem, close


def dense_pre(p: Problem) -> torch.Tensor:
    return p["x"].double() @ p["W_enc"].double().T + p["b_enc"].double()


def largest(pre: torch.Tensor, k: int) -> torch.Tensor:
    """Positive entries among the k largest of each row, by sorting."""
    rank = pre.argsort(1, descending=True).argsort(1)
    return pre * (rank < k) * (pre > 0)


@pytest.fixture(params=[1, 7 * 4 * N, 1 << 24], ids=["one row a chunk", "seven", "all"])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "CHUNK_BYTES", request.param)


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("k", [1, 4, N])
def test_topk_is_the_k_largest_of_each_row(problem: Problem, k: int):
    codes = select_topk(problem["x"], problem["W_enc"], problem["b_enc"], k)
    close(codes.dense(), largest(dense_pre(problem), k))
    rows = codes.rows() * N + codes.indices
    assert bool((rows.diff() > 0).all()), "each row's entries are in order of feature"


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("total", [1, 40, 300, B * N])
@pytest.mark.parametrize("sample", [1, 256])
def test_batch_topk_is_the_largest_of_the_batch(
    problem: Problem, total: int, sample: int, monkeypatch: pytest.MonkeyPatch
):
    # One sampled row gives a floor far too high: the fallback must still be exact.
    monkeypatch.setattr(batch, "SAMPLE_ROWS", sample)
    codes = select_batch_topk(problem["x"], problem["W_enc"], problem["b_enc"], total)
    flat = dense_pre(problem).view(1, -1)
    close(codes.dense(), largest(flat, total).view(B, N))


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("room", [1, 256], ids=["too little room at first", "room"])
@pytest.mark.parametrize("share", [0.0, 1.0], ids=["many candidates", "few candidates"])
def test_above_is_a_relu_and_a_threshold(problem: Problem, room: int, share: float, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compiled, "ROOM", room)
    monkeypatch.setattr(compiled, "RESCORED", share)
    pre = dense_pre(problem)
    theta = torch.linspace(0, 2, N, dtype=problem["x"].dtype)
    close(select_above(problem["x"], problem["W_enc"], problem["b_enc"]).dense(), pre.relu())
    codes = select_above(problem["x"], problem["W_enc"], problem["b_enc"], theta)
    close(codes.dense(), pre * (pre > theta))


@pytest.mark.parametrize("n", [31, 64, 200, 1000])
@pytest.mark.parametrize("d", [1, 7, 64, 300])
def test_the_same_features_as_the_exact_product_at_any_size(dtype: torch.dtype, n: int, d: int):
    g = torch.Generator().manual_seed(n + d)
    x, W, b = (torch.randn(*shape, generator=g, dtype=torch.float64) for shape in ((50, d), (n, d), (n,)))
    x[::7] *= 100.0  # rows of very different norms
    x, W, b = x.to(dtype), W.to(dtype), b.to(dtype)
    pre = x.double() @ W.double().T + b.double()
    for k in (1, 5, 20):
        codes = select_topk(x, W, b, k)
        assert torch.equal(codes.dense() != 0, largest(pre, k) != 0)
    assert torch.equal(select_above(x, W, b, 0.7).dense() != 0, pre > 0.7)


def test_ties_are_broken_to_exactly_k(dtype: torch.dtype):
    x, W, b = (t.to(dtype) for t in (torch.ones(4, 2), torch.ones(9, 2), torch.zeros(9)))
    assert select_topk(x, W, b, 3).l0().tolist() == [3, 3, 3, 3]
    assert len(select_batch_topk(x, W, b, 10).values) == 10


def test_nothing_fires_where_nothing_is_positive(dtype: torch.dtype):
    x, W, b = (t.to(dtype) for t in (torch.ones(4, 2), -torch.ones(9, 2), torch.zeros(9)))
    for codes in (select_topk(x, W, b, 3), select_batch_topk(x, W, b, 10), select_above(x, W, b)):
        assert codes.l0().tolist() == [0, 0, 0, 0]


def test_no_rows_have_no_codes(dtype: torch.dtype):
    x, W, b = torch.zeros(0, 2, dtype=dtype), torch.ones(9, 2, dtype=dtype), torch.zeros(9, dtype=dtype)
    for codes in (select_topk(x, W, b, 3), select_batch_topk(x, W, b, 10), select_above(x, W, b)):
        assert len(codes) == 0 and len(codes.values) == 0


@pytest.mark.parametrize("backend", ["plain", "compiled"])
def test_what_bfloat16_cannot_tell_apart_is_told_apart(backend: str, monkeypatch: pytest.MonkeyPatch):
    # 40 features whose pre-activations differ by 1e-4 around 1: bfloat16 steps by 2^-8 there.
    monkeypatch.setenv("MONOSEMA_KERNELS", backend)
    monkeypatch.setenv("MONOSEMA_SCAN", "bfloat16")
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    W = torch.cat([1 + 1e-4 * order[:, None].float(), -torch.ones(200, 1)])
    x, b = torch.ones(1, 1), torch.zeros(240)
    expected = (order >= 35).nonzero().view(-1)
    rounded = (x.bfloat16() @ W.bfloat16().T).topk(5).indices[0].sort().values
    assert not torch.equal(rounded, expected), "the case must be one that bfloat16 alone gets wrong"
    assert torch.equal(select_topk(x, W, b, 5).indices, expected)
    assert torch.equal(select_batch_topk(x, W, b, 5).indices, expected)
    assert torch.equal(select_above(x, W, b, 1.00345).indices, expected)


@pytest.mark.parametrize("halve", [halved, compiled.halved], ids=["plain", "compiled"])
@pytest.mark.parametrize("size", [1e-3, 1.0, 300.0])
def test_the_scan_is_off_by_no_more_than_it_says(halve: scan.Halve, size: float):
    g = torch.Generator().manual_seed(0)
    x, W, b = torch.randn(64, 96, generator=g), torch.randn(300, 96, generator=g), torch.randn(300, generator=g)
    x[5] *= size
    b[7] = -1e6  # cannot fire, so it may not loosen the bound for the others
    scanned = scan.scan(x, W, b, halve)
    pre = x.double() @ W.double().T + b.double()
    for first, s in scanned.chunks():
        error = (s.double() - scanned.shift - pre[first : first + len(s)]).abs()
        error[:, 7] = 0
        allowed = scanned.slack[first : first + len(s), None] + scan.ROUNDING * s.double().abs()
        assert bool((error <= allowed).all())
        assert float((error / allowed).max()) > 0.02, "a bound a hundred times too wide would be no use"
    assert scanned.shift < 2.0 * max(size, 1.0)


@pytest.mark.parametrize("mode", ["highest", "medium"])
def test_float32_products_are_exact_whatever_the_process_has_set(mode: str):
    x, W = torch.randn(8, 700), torch.randn(90, 700)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(mode)
    with float32_products("cpu"):
        product = x @ W.T
    assert torch.get_float32_matmul_precision() == mode, "the setting of the process is left as it was"
    torch.set_float32_matmul_precision(before)
    torch.testing.assert_close(product.double(), x.double() @ W.double().T, rtol=1e-5, atol=1e-4)


def test_the_highest_mode_keeps_float32():
    assert keeps_float32("cpu", "highest")


def test_the_halves_are_those_of_torch():
    x = torch.cat([torch.randn(40, 33), torch.zeros(1, 33), torch.full((1, 33), 1 + 2**-8)])
    for got, expected in zip(compiled.halved(x), halved(x), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-7)


def test_codes_of_other_values_share_what_is_known_of_their_places():
    codes = SparseCodes.from_dense(torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, 0.0]]))
    doubled = codes.with_values(2 * codes.values)
    assert doubled.by_feature[0] is codes.by_feature[0] and doubled.rows() is codes.rows()
    assert codes.keep(torch.tensor([True, False, True])).rows().tolist() == [0, 1]


def test_a_backend_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MONOSEMA_KERNELS", "compile")
    with pytest.raises(ConfigError, match=r"Did you mean 'compiled'\? Known: auto, compiled, plain, triton"):
        backend_name("cpu")
    monkeypatch.setenv("MONOSEMA_KERNELS", "plain")
    assert backend_name("cpu") == "plain"
    monkeypatch.setenv("MONOSEMA_SCAN", "half")
    with pytest.raises(ConfigError, match="it must be auto, bfloat16 or float32"):
        scan.precision("cpu")


def test_only_float32_on_a_processor_is_compiled(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MONOSEMA_KERNELS", "auto")
    assert backend_name("cpu") == "compiled"
    assert backend_name("cpu", torch.float64) == "plain"
    assert backend_name("meta") == "plain"
