"""What every architecture owes, and each one's loss against a dense autograd written out by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from monosema.core.seeding import generator
from monosema.dictionaries import (
    ARCHITECTURES,
    BatchTopKConfig,
    Dictionary,
    GatedConfig,
    JumpReLUConfig,
    L1Config,
    MatryoshkaConfig,
    Moment,
    TopKConfig,
    Weights,
    load,
    save,
)
from monosema.dictionaries.architecture import bias_for
from monosema.dictionaries.batchtopk import BatchTopK
from monosema.dictionaries.learner import Learner, Length
from monosema.dictionaries.scaling import Scaling
from monosema.dictionaries.spec import parse_spec
from monosema.dictionaries.table import architecture
from monosema.dictionaries.weights import initial
from tests.dictionaries.worlds import SITE, World

N, D, D_OUT, B = 24, 10, 7, 40
ALIVE = Moment(1.0, torch.zeros(N, dtype=torch.int64))


def made(
    name: str, config: Any, *, transcoder: bool = False, dtype: torch.dtype = torch.float64
) -> tuple[Any, Weights]:
    """An architecture and weights without symmetry, as parameters."""
    random = generator(3, name)
    rule = architecture(name)(config)
    tied = isinstance(config, L1Config) and config.tied
    d_out = D_OUT if transcoder else D
    weights = initial(N, torch.ones(D), torch.ones(d_out), centred=not transcoder, tied=tied, generator=random)
    weights.extra.update(rule.extra(N))
    weights.extra.update(rule.inference_extra({"threshold": 0.3}, N))
    noisy = {}
    for key, tensor in weights.named().items():
        noise = 0.2 * torch.randn(tensor.shape, generator=random)
        noisy[key] = tensor if key == "threshold" else tensor + noise
    return rule, weights.replaced({key: t.to(dtype).requires_grad_() for key, t in noisy.items()})


def data(d: int = D, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(B, d, generator=generator(4, d), dtype=torch.float64).to(dtype) + 1


def dictionary(name: str, config: Any, *, transcoder: bool = False) -> Dictionary:
    rule, weights = made(name, config, transcoder=transcoder, dtype=torch.float32)
    reads, writes = (
        ("mlp_in.1",) if transcoder else ("resid_post.1",),
        ("mlp_out.1",) if transcoder else ("resid_post.1",),
    )
    keep = torch.ones(N, dtype=torch.bool)
    widths = (D,), (D_OUT if transcoder else D,)
    return Dictionary(name, rule, weights.detached(), reads, writes, *widths, keep, {"note": "a test"})


@pytest.fixture(params=sorted(ARCHITECTURES))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=[False, True], ids=["autoencoder", "transcoder"])
def transcoder(request: pytest.FixtureRequest) -> bool:
    return request.param


def test_encoding_is_deterministic_and_positive(name: str, transcoder: bool):
    d = dictionary(name, ARCHITECTURES[name][1], transcoder=transcoder)
    x = data(dtype=torch.float32)
    first, second = d.encode(x), d.encode(x)
    assert torch.equal(first.dense(), second.dense())
    assert len(first.values) > 0 and bool((first.values > 0).all())


def test_a_row_is_encoded_alone(name: str):
    d = dictionary(name, ARCHITECTURES[name][1])
    x = data(dtype=torch.float32)
    torch.testing.assert_close(d.encode(x[:5]).dense(), d.encode(x).dense()[:5])


def test_decoding_is_the_dense_product(name: str, transcoder: bool):
    d = dictionary(name, ARCHITECTURES[name][1], transcoder=transcoder)
    x = data(dtype=torch.float32)
    torch.testing.assert_close(d.reconstruct(x), d.encode(x).dense() @ d.W_dec + d.b_dec)


def test_every_trained_tensor_has_a_gradient(name: str, transcoder: bool):
    rule, weights = made(name, ARCHITECTURES[name][1], transcoder=transcoder)
    silent = torch.zeros(N, dtype=torch.int64)
    x = data()
    rule.loss(weights, x, data(D_OUT) if transcoder else x, Moment(1.0, silent)).loss.backward()
    untrained = set(rule.inference_extra({}, N))
    for key, tensor in weights.named().items():
        if key not in untrained:
            assert tensor.grad is not None and float(tensor.grad.abs().sum()) > 0, key


def test_saved_and_loaded_is_bit_identical(name: str, transcoder: bool, tmp_path: Path):
    d = dictionary(name, ARCHITECTURES[name][1], transcoder=transcoder)
    save(d, tmp_path / "d")
    again = load(tmp_path / "d")
    assert again.fingerprint == d.fingerprint
    assert (again.reads, again.writes, again.config, again.metadata) == (d.reads, d.writes, d.config, d.metadata)
    x = data(dtype=torch.float32)
    assert torch.equal(again.reconstruct(x), d.reconstruct(x))


def test_pruning_nothing_changes_nothing_and_pruning_takes_its_frequencies(name: str):
    d = dictionary(name, ARCHITECTURES[name][1])
    x = data(dtype=torch.float32)
    assert torch.equal(d.pruned(torch.ones(N, dtype=torch.bool)).reconstruct(x), d.reconstruct(x))
    keep = torch.arange(N) % 3 != 0
    before, after = d.encode(x), d.pruned(keep).encode(x)
    assert int(after.l0().sum()) == int(before.l0().sum()) - int(before.counts()[~keep].sum())
    assert int(before.counts()[~keep].sum()) > 0


def test_a_pruned_dictionary_is_kept_whole(name: str, tmp_path: Path):
    d = dictionary(name, ARCHITECTURES[name][1]).pruned(torch.arange(N) > 4)
    save(d, tmp_path / "d")
    again = load(tmp_path / "d")
    assert again.fingerprint == d.fingerprint
    assert torch.equal(again.W_dec, d.W_dec)


# ---- each loss against dense autograd, everything written out


def dense_pre(w: Weights, x: torch.Tensor) -> torch.Tensor:
    return (x - w.b_dec if w.centred else x) @ w.W_enc.T + w.b_enc


def out(w: Weights, f: torch.Tensor) -> torch.Tensor:
    return f @ w.W_dec + w.b_dec


def dense_topk(w: Weights, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    pre = dense_pre(w, x)
    kept = torch.zeros_like(pre).scatter(1, pre.topk(3, dim=1).indices, 1.0)
    return (out(w, (pre * kept).relu()) - y).square().mean()


def batch_kept(pre: torch.Tensor) -> torch.Tensor:
    return (pre >= pre.relu().view(-1).topk(3 * len(pre)).values[-1]).detach()


def dense_batchtopk(w: Weights, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    pre = dense_pre(w, x)
    return (out(w, (pre * batch_kept(pre)).relu()) - y).square().mean()


def dense_matryoshka(w: Weights, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    pre = dense_pre(w, x)
    f = (pre * batch_kept(pre)).relu()
    small = f * (torch.arange(N) < N // 4)
    return ((out(w, small) - y).square().mean() + (out(w, f) - y).square().mean()) / 2


def dense_l1(w: Weights, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    f = dense_pre(w, x).relu()
    return (out(w, f) - y).square().mean() + 0.7 * f.sum(1).mean() / y.shape[1]


def dense_gated(w: Weights, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    gate = dense_pre(w, x)
    f = (gate > 0) * ((gate - w.b_enc) * w.extra["r_mag"].exp() + w.extra["b_mag"]).relu()
    fixed = gate.relu() @ w.W_dec.detach() + w.b_dec.detach()
    l1 = 0.7 * gate.relu().sum(1).mean() / y.shape[1]
    return (out(w, f) - y).square().mean() + l1 + (fixed - y).square().mean()


def dense_jumprelu(w: Weights, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    # Surrogates with the paper's derivatives: theta enters through s, which is zero in value.
    pre, theta = dense_pre(w, x), w.extra["threshold"]
    fires = (pre > theta).detach().double()
    window = ((pre - theta).abs() < 0.15).detach().double() / 0.3
    s = theta.detach() - theta
    f = pre * fires + window * theta.detach() * s
    l0 = (fires + window * s).sum(1).mean()
    return (out(w, f) - y).square().mean() + 0.5 * (l0 / 3.0 - 1).square()


def dense_jumprelu_by_row(w: Weights, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    theta = w.extra["threshold"]
    pre = dense_pre(w, x).detach()  # L0 moves the thresholds and nothing else
    window = ((pre - theta).abs() < 0.15).detach().double() / 0.3
    l0 = ((pre > theta).detach().double() + window * (theta.detach() - theta)).sum(1).mean()
    return dense_topk(w, x, y) + 0.5 * (l0 / 3.0 - 1).square()


LOSSES: list[tuple[str, Any, Callable[..., torch.Tensor]]] = [
    ("topk", TopKConfig(N, k=3), dense_topk),
    ("batchtopk", BatchTopKConfig(N, k=3), dense_batchtopk),
    ("matryoshka", MatryoshkaConfig(N, k=3, shares=(0.25, 1.0)), dense_matryoshka),
    ("l1", L1Config(N, penalty=0.7), dense_l1),
    ("l1", L1Config(N, penalty=0.7, tied=True), dense_l1),
    ("gated", GatedConfig(N, penalty=0.7), dense_gated),
    ("jumprelu", JumpReLUConfig(N, target=3.0, penalty=0.5, bandwidth=0.3), dense_jumprelu),
]


@pytest.mark.parametrize(("kind", "config", "dense"), LOSSES, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(LOSSES)])
def test_loss_and_gradients_equal_dense_autograd(kind: str, config: Any, dense: Callable[..., Any], transcoder: bool):
    if transcoder and isinstance(config, L1Config) and config.tied:
        return  # a tied dictionary writes where it reads
    rule, weights = made(kind, config, transcoder=transcoder)
    _, reference = made(kind, config, transcoder=transcoder)
    x = data()
    y = data(D_OUT) if transcoder else x
    ours = rule.loss(weights, x, y, ALIVE)
    theirs = dense(reference, x, y)
    ours.loss.backward()
    theirs.backward()
    torch.testing.assert_close(ours.loss, theirs, rtol=1e-12, atol=1e-12)
    for key, tensor in reference.named().items():
        if tensor.grad is not None:
            torch.testing.assert_close(weights.named()[key].grad, tensor.grad, rtol=1e-10, atol=1e-12)


def test_jumprelu_by_row_is_topk_while_l0_moves_the_thresholds(transcoder: bool):
    config = JumpReLUConfig(N, target=3.0, penalty=0.5, bandwidth=0.3, per_row=0.5, warmup=0.0)
    rule, weights = made("jumprelu", config, transcoder=transcoder)
    _, reference = made("jumprelu", config, transcoder=transcoder)
    x = data()
    y = data(D_OUT) if transcoder else x
    ours = rule.loss(weights, x, y, Moment(0.49, ALIVE.silent))
    theirs = dense_jumprelu_by_row(reference, x, y)
    ours.loss.backward()
    theirs.backward()
    torch.testing.assert_close(ours.loss, theirs, rtol=1e-12, atol=1e-12)
    assert float(reference.extra["threshold"].grad.abs().sum()) > 0
    for key, tensor in reference.named().items():
        if tensor.grad is not None:
            torch.testing.assert_close(weights.named()[key].grad, tensor.grad, rtol=1e-10, atol=1e-12)


def test_batchtopk_in_use_fires_above_its_running_threshold():
    rule = BatchTopK(BatchTopKConfig(N, k=3))
    weights = made("batchtopk", rule.config)[1]
    terms = rule.loss(weights, data(), data(), ALIVE)
    assert len(terms.codes.values) == 3 * B
    assert terms.statistics == {"threshold": float(terms.codes.values.min())}
    pre = dense_pre(weights, data())
    torch.testing.assert_close(rule.encode(weights, data()).dense(), pre * (pre > 0.3))


# ---- dead features


def test_auxk_teaches_dead_features_on_both_sides():
    rule, weights = made("topk", TopKConfig(N, k=3, auxk=1.0, dead_after=100))
    weights.b_enc.data[:5] = -50.0  # never among the largest
    weights.b_enc.data[0] = -0.5
    x = data()
    rule.loss(weights, x, x, ALIVE).loss.backward()
    assert weights.W_enc.grad is not None and float(weights.W_enc.grad[:5].abs().sum()) == 0
    weights.W_enc.grad = weights.W_dec.grad = None
    terms = rule.loss(weights, x, x, Moment(1.0, torch.full((N,), 100)))
    terms.loss.backward()
    dead = terms.codes.counts() == 0
    assert bool(dead[:5].all())
    assert float(terms.parts["auxk"].detach()) > 0
    assert weights.W_dec.grad is not None
    assert float(weights.W_enc.grad[dead].abs().sum()) > 0
    assert float(weights.W_dec.grad[dead].abs().sum()) > 0


def test_a_feature_that_fires_now_is_not_dead():
    rule, weights = made("topk", TopKConfig(N, k=N, dead_after=100))
    codes = rule.encode(weights, data())
    dead = Moment(1.0, torch.full((N,), 10_000)).dead(codes, 100)
    assert bool((dead == (codes.counts() == 0)).all())
    assert not bool(Moment(1.0, torch.zeros(N, dtype=torch.int64)).dead(codes, B + 1).any())


@pytest.mark.parametrize(("l0", "n", "expected"), [(32.0, 64, 0.0), (32.0, 1408, -2.0), (100.0, 74074, -3.0)])
def test_the_first_bias_lets_about_that_many_fire(l0: float, n: int, expected: float):
    # A standard normal variable passes 2 with probability .0228 and 3 with .00135: 32 of 1,408, 100 of 74,074.
    assert bias_for(l0, n) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_the_same_features_fire_at_the_start_whatever_the_first_scale(name, monkeypatch):
    rule, world = architecture(name), World()
    x = world.rows(B, "start")
    scaling = Scaling({SITE: 1.0}, {SITE: x.mean(0).tolist()})
    sparse = {"topk": ",k=3", "batchtopk": ",k=3", "matryoshka": ",k=3", "jumprelu": ",target=3"}.get(name, "")
    learner = Learner(
        parse_spec(f"{name},n_features={N}{sparse}", (SITE,), (SITE,)), scaling, 0, "cpu", Length(1000, 10)
    )
    monkeypatch.setattr(rule, "first_scale", 1.0)
    of_unit_rows = Learner(learner.spec, scaling, 0, "cpu", Length(1000, 10))
    monkeypatch.undo()
    assert torch.allclose(of_unit_rows.weights.W_enc.norm(dim=1), torch.ones(N))
    mine, theirs = (each.rule.loss(each.weights, x, x, ALIVE).codes for each in (learner, of_unit_rows))
    assert torch.equal(mine.indices, theirs.indices) and len(mine.values) > 0
    torch.testing.assert_close(mine.values, rule.first_scale * theirs.values)
