"""Cross-layer transcoders: zeros that stay, gradients of the masked formula, features found once, not twice."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from monosema.core.errors import ConfigError, MismatchError
from monosema.core.seeding import generator
from monosema.dictionaries import (
    BatchTopKConfig,
    Dictionary,
    DictionarySpec,
    GatedConfig,
    JumpReLUConfig,
    L1Config,
    Moment,
    TopKConfig,
    TrainConfig,
    Weights,
    load,
    parse_spec,
    save,
    train,
)
from monosema.dictionaries.layers import Layers
from monosema.dictionaries.learner import Learner, Length
from monosema.dictionaries.scaling import Scaling
from monosema.dictionaries.selection import above, strongest, strongest_of_batch
from monosema.dictionaries.spec import usual_lr
from monosema.dictionaries.table import architecture
from monosema.dictionaries.weights import initial
from monosema.evaluation.recovery import cosines_of, match
from tests.dictionaries.cross_layer_world import LAYERS, READS, WRITES, CrossLayerWorld, D
from tests.dictionaries.test_architectures import (
    dense_batchtopk,
    dense_gated,
    dense_jumprelu,
    dense_l1,
    dense_pre,
    out,
)

N, WIDTHS_IN, WIDTHS_OUT, B = 24, (4, 3, 5), (2, 4, 3), 40
SPLIT = Layers.split(N, WIDTHS_IN, WIDTHS_OUT)
KINDS = {
    "topk": "topk,k=3,n_features=32,dead_after=300",
    "batchtopk": "batchtopk,k=3,n_features=32,dead_after=300",
    "jumprelu": "jumprelu,target=3,n_features=32,dead_after=300",
    "l1": "l1,penalty=20,n_features=32,resample_rows=64,resample_window=0.02",
    "gated": "gated,penalty=0.5,n_features=32",
    "factored": "factored=topk,k=3,n_features=32,state=factored",
}


def blocks() -> tuple[Tensor, Tensor]:
    """Where W_enc and W_dec may differ from zero, written out."""
    layer = torch.arange(N) // 8
    reads, writes = (torch.arange(3).repeat_interleave(torch.tensor(w)) for w in (WIDTHS_IN, WIDTHS_OUT))
    return reads[None] == layer[:, None], writes[None] >= layer[:, None]


def made(kind: str, config: Any) -> tuple[Any, Weights]:
    """A rule and weights without symmetry but for the blocks, float64, as parameters."""
    random, rule = generator(3, kind), architecture(kind)(config)  # type: ignore[call-arg]
    weights = initial(N, torch.ones(12), torch.ones(9), centred=False, tied=False, generator=random, layers=SPLIT)
    weights.extra.update(rule.extra(N) | rule.inference_extra({"threshold": 0.3}, N))
    noisy = {
        key: tensor if key == "threshold" else tensor + 0.2 * torch.randn(tensor.shape, generator=random)
        for key, tensor in weights.named().items()
    }
    SPLIT.clear(noisy["W_enc"], noisy["W_dec"])
    return rule, weights.replaced({key: t.double().requires_grad_() for key, t in noisy.items()})


def data(d: int) -> Tensor:
    return torch.randn(B, d, generator=generator(4, d), dtype=torch.float64) + 1


def test_features_are_split_as_evenly_as_they_can_be():
    layers = Layers.split(11, (2, 2, 2), (2, 2, 2))
    assert layers.starts == (0, 3, 7, 11) and layers.shares(5) == (1, 2, 2)
    assert layers.of(torch.tensor([0, 2, 7])).starts == (0, 2, 2, 3)
    assert (SPLIT.ins, SPLIT.outs) == ((0, 4, 7, 12), (0, 2, 6, 9))


def test_the_first_weights_are_unit_rows_inside_the_blocks_and_zero_elsewhere():
    reads, writes = blocks()
    weights = initial(N, torch.ones(12), torch.ones(9), centred=False, tied=False, generator=generator(0), layers=SPLIT)
    assert torch.equal(weights.W_enc != 0, reads) and torch.equal(weights.W_dec != 0, writes)
    for W in (weights.W_enc, weights.W_dec):
        torch.testing.assert_close(W.norm(dim=1), torch.ones(N))
    torch.testing.assert_close(weights.b_enc, -weights.W_enc.sum(1))


# ---- selections and gradients, against the masked formula


def topk_by_layer(pre: Tensor, shares: tuple[int, ...]) -> Tensor:
    kept = torch.zeros_like(pre)
    for i, k in enumerate(shares):
        part = pre[:, 8 * i : 8 * i + 8]
        kept[:, 8 * i : 8 * i + 8].scatter_(1, part.topk(k, dim=1).indices, 1.0)
    return kept


def dense_topk(w: Weights, x: Tensor, y: Tensor) -> Tensor:
    pre = dense_pre(w, x)
    return (out(w, (pre * topk_by_layer(pre, (1, 2, 2))).relu()) - y).square().mean()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_selections_are_those_of_the_masked_product(dtype: torch.dtype):
    _, weights = made("topk", TopKConfig(N, k=5))
    weights = weights.replaced({name: t.detach().to(dtype) for name, t in weights.named().items()})
    x = data(12).to(dtype)
    pre = dense_pre(weights, x)
    torch.testing.assert_close(strongest(weights, x, 5).dense(), (pre * topk_by_layer(pre, (1, 2, 2))).relu())
    torch.testing.assert_close(above(weights, x, 0.4).dense(), pre * (pre > 0.4))
    border = pre.view(-1).topk(3 * B).values[-1]
    torch.testing.assert_close(strongest_of_batch(weights, x, 3 * B).dense(), pre * (pre >= border))


@pytest.mark.parametrize(
    ("kind", "config", "dense"),
    [
        ("topk", TopKConfig(N, k=5), dense_topk),
        ("batchtopk", BatchTopKConfig(N, k=3), dense_batchtopk),
        ("jumprelu", JumpReLUConfig(N, target=3.0, penalty=0.5, bandwidth=0.3), dense_jumprelu),
        ("l1", L1Config(N, penalty=0.7), dense_l1),
        ("gated", GatedConfig(N, penalty=0.7), dense_gated),
    ],
)
def test_the_gradient_is_that_of_the_masked_formula(kind: str, config: Any, dense: Any):
    rule, weights = made(kind, config)
    _, free = made(kind, config)
    for key in ("W_enc", "W_dec"):  # what lies outside the blocks must not matter: there it is masked away
        free.named()[key].data += 7.0 * (free.named()[key].data == 0)
    reads, writes = blocks()
    masked = free.replaced({**free.named(), "W_enc": free.W_enc * reads, "W_dec": free.W_dec * writes})
    x, y = data(12), data(9)
    ours = rule.loss(weights, x, y, Moment(1.0, torch.zeros(N, dtype=torch.int64)))
    theirs = dense(masked, x, y)
    ours.loss.backward()
    weights.clear_gradient()
    theirs.backward()
    torch.testing.assert_close(ours.loss, theirs, rtol=1e-12, atol=1e-12)
    for key, tensor in free.named().items():
        if tensor.grad is not None:
            torch.testing.assert_close(weights.named()[key].grad, tensor.grad, rtol=1e-10, atol=1e-12)
    assert float(weights.W_enc.grad.abs().sum()) > 0  # type: ignore[union-attr]


def test_auxk_of_the_dead_is_that_of_the_masked_formula():
    rule, weights = made("topk", TopKConfig(N, k=3, auxk=1.0, dead_after=100))
    x, y = data(12)[:4], data(9)[:4]
    terms = rule.loss(weights, x, y, Moment(1.0, torch.full((N,), 100)))
    dead = terms.codes.counts() == 0
    assert all(int(part.sum()) >= 3 for part in dead.split(8))
    pre = dense_pre(weights, x)
    error = (y - out(weights, (pre * topk_by_layer(pre, (1, 1, 1))).relu())).detach()
    kept = topk_by_layer(pre.where(dead, -torch.inf), (1, 1, 2))  # 9 // 2 coordinates' worth, split over the layers
    guess = (pre * kept).relu() @ weights.W_dec
    expected = (guess - error).square().sum() / (error - error.mean(0)).square().sum()
    torch.testing.assert_close(terms.parts["auxk"], expected, rtol=1e-12, atol=1e-12)
    ours, theirs = (
        torch.autograd.grad(loss, (weights.W_enc, weights.W_dec), retain_graph=True)
        for loss in (terms.parts["auxk"], expected)
    )
    reads, writes = blocks()
    for mine, its, mask in zip(ours, theirs, (reads, writes), strict=True):
        torch.testing.assert_close(mine * mask, its * mask, rtol=1e-10, atol=1e-12)
        assert float((its * mask)[dead].abs().sum()) > 0


# ---- trained


def specs(*kinds: str) -> list[DictionarySpec]:
    return [parse_spec(f"{KINDS[kind]},cross_layer=true", READS, WRITES) for kind in kinds]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Dictionary], list[dict[str, Any]]]:
    """One of each kind, where they were written, and what was logged."""
    out, log = tmp_path_factory.mktemp("cross"), list[dict[str, Any]]()
    config = TrainConfig(rows=64 * 40, batch_size=64, scaling_batches=2, log_every=1)
    return out, train(CrossLayerWorld(), specs(*KINDS), config, out, log=log.append).dictionaries, log


@pytest.mark.parametrize("kind", KINDS)
def test_the_zeros_are_exact_to_the_end_and_nothing_else_is_zero(kind: str, trained: Any):
    d = trained[1][kind]
    layer = torch.tensor([sum(i >= start for start in (10, 21)) for i in range(32)])
    site = torch.arange(LAYERS).repeat_interleave(D)
    assert torch.equal(d.W_enc != 0, site[None] == layer[:, None])
    assert torch.equal(d.W_dec != 0, site[None] >= layer[:, None])


def test_the_usual_rate_is_that_of_what_one_feature_reads():
    scaling = Scaling(dict.fromkeys((*READS, *WRITES), 1.0), dict.fromkeys((*READS, *WRITES), [0.0] * D))
    [split], long = specs("topk"), Length(rows=1_000_000, steps=100_000)
    assert Learner(split, scaling, 0, "cpu", long).lr == usual_lr(D, 100_000)
    dense = replace(split, cross_layer=False)
    assert Learner(dense, scaling, 0, "cpu", long).lr == usual_lr(LAYERS * D, 100_000) < usual_lr(D, 100_000)


def test_what_revives_the_dead_was_at_work_in_these_runs(trained: Any):
    out, _, log = trained
    assert sum(row["features"] for row in log if row["event"] == "resampled") > 0
    curves = [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]
    for kind in ("topk", "batchtopk"):
        assert max(row["auxk"] for row in curves if row["dictionary"] == kind) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_decoder_rows_have_norm_one_in_the_units_of_the_training(kind: str, trained: Any):
    d = trained[1][kind]
    scales = torch.tensor([1.0, 3.0, 1.0]).repeat_interleave(D)  # of the sites against each other, by construction
    norms = (d.W_dec / scales).norm(dim=1)
    assert float(norms.std() / norms.mean()) < 0.2  # measured variances are not exactly those of the world


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_one_transcoder_a_layer_that_writes_later_ones_too(kind: str, trained: Any):
    d = trained[1][kind].pruned(torch.arange(32) != 11)
    x = torch.cat([CrossLayerWorld().rows(50, "parts")[1][site] for site in READS], 1)
    total = torch.zeros(50, LAYERS * D)
    for i, part in enumerate(d.by_layer()):
        assert (part.reads, part.writes) == (READS[i : i + 1], WRITES[i:])
        assert part.config.n_features == part.n_features == (10, 11, 11)[i]
        total[:, i * D :] += part.reconstruct(x[:, i * D : i * D + D])
    torch.testing.assert_close(total, d.reconstruct(x))
    assert float((total - d.b_dec).abs().max()) > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_it_comes_back_from_disk_as_it_was(kind: str, trained: Any):
    d, again = trained[1][kind], load(trained[0] / kind)
    x = torch.cat([CrossLayerWorld().rows(50, "disk")[1][site] for site in READS], 1)
    assert again.fingerprint == d.fingerprint and again.weights.layers == d.weights.layers
    assert torch.equal(again.reconstruct(x), d.reconstruct(x))


def test_a_folder_whose_zeros_were_edited_is_refused(trained: Any, tmp_path: Path):
    save(trained[1]["topk"], tmp_path / "d")
    tensors = load_file(tmp_path / "d" / "sae_weights.safetensors")
    tensors["W_dec"][31, 0] = 1e-9
    save_file(tensors, tmp_path / "d" / "sae_weights.safetensors")
    with pytest.raises(MismatchError, match="some feature reads, or writes before, another layer"):
        load(tmp_path / "d")


def test_an_interrupted_run_ends_with_the_same_bits(trained: Any, tmp_path: Path):
    class Interrupted(CrossLayerWorld):
        def batches(self, batch_size: int, seed: int, start: int = 0) -> Any:
            for i, batch in enumerate(super().batches(batch_size, seed, start)):
                if start + i == 25:
                    raise KeyboardInterrupt
                yield batch

    config = TrainConfig(rows=64 * 40, batch_size=64, scaling_batches=2, log_every=1)
    with pytest.raises(KeyboardInterrupt):
        train(Interrupted(), specs("topk", "l1"), config, tmp_path)
    for name, d in train(CrossLayerWorld(), specs("topk", "l1"), config, tmp_path).dictionaries.items():
        assert d.fingerprint == trained[1][name].fingerprint


# ---- what it is for


def test_a_feature_that_writes_two_layers_is_found_once_and_by_transcoders_of_one_layer_twice(tmp_path: Path):
    world, n = CrossLayerWorld(), 36
    clt = parse_spec(f"clt=batchtopk,k=3,n_features={n},cross_layer=true", READS, WRITES)
    one = parse_spec(f"batchtopk,k=2,n_features={n}", READS, WRITES)
    alone = [replace(one, name=f"tc-{i}", reads=READS[i : i + 1], writes=WRITES[i : i + 1]) for i in (0, 2)]
    config = TrainConfig(rows=256 * 300, batch_size=256, scaling_batches=4)
    found = train(world, [clt, *alone], config, tmp_path).dictionaries
    shared = slice(0, world.n)  # of layer 0, written at layers 0 and 2
    pairs = match(cosines_of(found["clt"].W_dec, world.directions))
    ours = pairs.features < world.n
    assert float(pairs.cosines.mean()) > 0.95 and float(pairs.cosines[ours].min()) > 0.9
    assert bool((pairs.latents[ours] < n // LAYERS).all())  # they read layer 0

    # A transcoder of one layer has one of the two directions, .71 of the whole, and at both layers a latent for it.
    rows = [torch.nn.functional.pad(found[f"tc-{i}"].W_dec, (i * D, (LAYERS - 1 - i) * D)) for i in (0, 2)]
    assert float(cosines_of(torch.cat(rows), world.directions[shared]).max()) < 0.75
    for layer in (0, 2):
        assert float(cosines_of(found[f"tc-{layer}"].W_dec, world.writing[layer, shared]).amax(0).min()) > 0.9
    part = found["clt"].by_layer()[2]  # the cross-layer one has no second latent for them
    fired = part.encode(world.rows(2000, "living")[1][READS[2]]).counts() > 20
    assert float(cosines_of(part.W_dec[fired], world.writing[2, shared]).max()) < 0.9


# ---- what it cannot be


@pytest.mark.parametrize(
    ("text", "reads", "writes", "message"),
    [
        ("topk,k=3", READS, WRITES[:2], "it must write as many sites as it reads: 3, not 2"),
        ("topk,k=3", READS, READS, "it must write elsewhere than it reads"),
        ("matryoshka,k=3", READS, WRITES, "it cannot be matryoshka"),
        ("l1,tied=true", READS, WRITES, "it cannot be tied"),
        ("topk,k=2", READS, WRITES, "each of its 3 layers needs a share: k is 2"),
        ("l1,n_features=2", READS, WRITES, "each of its 3 layers needs a share: n_features is 2"),
    ],
)
def test_what_cannot_be_split_over_layers_is_refused(text: str, reads: Any, writes: Any, message: str):
    with pytest.raises(ConfigError, match=message):
        parse_spec(f"{text},cross_layer=true", reads, writes)


def test_specs_survive_json_and_those_of_before_are_written_as_before():
    [spec] = specs("topk")
    assert DictionarySpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    plain = parse_spec(KINDS["topk"], READS, WRITES)
    assert not plain.cross_layer and "cross_layer" not in plain.to_json()
    assert DictionarySpec.from_json(plain.to_json()) == plain
    with pytest.raises(ConfigError, match="expected bool"):
        parse_spec("topk,cross_layer=maybe", READS, WRITES)
