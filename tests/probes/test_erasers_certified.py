"""What a certificate says where the answer is known, what a price is, and erasers inside a model and on disk."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from monosema.core.errors import DamagedError, DataError, MismatchError, RunError
from monosema.core.seeding import generator
from monosema.models import Model, wrap
from monosema.probes.erasers.certificate import certify
from monosema.probes.erasers.configs import CertificateConfig, LeaceConfig, MeanDifferenceConfig, RandomEraserConfig
from monosema.probes.erasers.eraser import Eraser
from monosema.probes.erasers.fitting import EraserFitter, fit_eraser
from monosema.probes.erasers.price import loss_price, price
from monosema.probes.erasers.readers import by_mlp
from monosema.probes.erasers.regression import regress
from monosema.probes.erasers.saved import load_eraser, save_eraser
from monosema.probes.erasers.scrubbing import scrub

QUICK = CertificateConfig(hidden=16, steps=150, mlp_seeds=2, lr=0.01)


def blobs(seed: int) -> tuple[Tensor, Tensor]:
    """Two Gaussian classes that differ in their mean alone, and are otherwise the same rows."""
    half = torch.randn(400, 6, generator=generator(seed, "blobs"), dtype=torch.float64)
    return torch.cat([half, half + torch.tensor([2.0, 1.0, 0, 0, 0, 0])]), torch.arange(2).repeat_interleave(400)


def rings(seed: int) -> tuple[Tensor, Tensor]:
    """Class 1 lies outside of class 0, and a little to the right: the mean tells a little, the radius everything."""
    random = generator(seed, "rings")
    z = torch.arange(800) % 2
    x = torch.nn.functional.normalize(torch.randn(800, 3, generator=random, dtype=torch.float64), dim=1)
    x = x * (1 + 2.0 * z[:, None])
    return x + torch.tensor([0.5, 0.0, 0.0]) * z[:, None], z


@pytest.fixture(scope="module")
def model() -> Model:
    from transformers import GPT2Config, GPT2LMHeadModel

    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = GPT2Config(vocab_size=23, n_positions=16, n_embd=12, n_layer=2, n_head=3)
        module = GPT2LMHeadModel(config).requires_grad_(False).eval()
        for parameter in module.parameters():
            parameter.data.add_(0.3 * torch.randn_like(parameter))
    return wrap(module, "tiny")


@pytest.fixture(scope="module")
def tokens() -> Tensor:
    return torch.randint(0, 23, (30, 10), generator=generator(0, "tokens"))


@pytest.mark.parametrize("k", [2, 3])
def test_the_regression_is_scikit_learns(k: int):
    from sklearn.linear_model import LogisticRegression

    x = torch.randn(300, 4, generator=generator(k, "regression"), dtype=torch.float64)
    z = (x[:, 0] + 0.5 * torch.randn(300, generator=generator(k, "noise")) > 0).long() + (k - 2) * (x[:, 1] > 1).long()
    x = 3 * (x - x.mean(0)) / (x - x.mean(0)).square().mean().sqrt() + 5  # variance 9: the penalty is of x / 3
    ours = regress(x, z, 0.01)
    theirs = LogisticRegression(C=1 / (300 * 0.01), tol=1e-10, max_iter=1000).fit(((x - 5) / 3).numpy(), z.numpy())
    torch.testing.assert_close(3 * ours.W.T, torch.from_numpy(theirs.coef_), rtol=1e-5, atol=1e-6)
    assert (ours.predict(x).numpy() == theirs.predict(((x - 5) / 3).numpy())).all()


def test_what_only_the_mean_told_is_gone_for_every_probe():
    found = certify(fit_eraser(LeaceConfig(), *blobs(0)), blobs(0), blobs(1), QUICK)
    assert found.guarded and found.still_read_by == ()
    for name in ("logistic", "knn", "mlp"):
        assert found.findings[f"{name}_before"].low > 0.7
        assert found.findings[name].value < 0.58 and found.findings[name].control == 0.5
    assert found.findings["class_means"].value < 1e-12 < 1 < (found.findings["class_means"].control or 0)
    assert found.findings["covariance"].value < 1e-12
    assert "linear guardedness, and nothing more" in found.says[0]
    assert "certifies nothing about others" in found.says[-1]


def test_the_mlp_sees_what_a_linear_probe_sees_in_narrow_directions():
    random = generator(0, "narrow")
    mixing = torch.randn(40, 40, generator=random) * torch.logspace(0, -2, 40)
    z = torch.arange(1200) % 2
    x = torch.randn(1200, 40, generator=random)
    x[:, 39] += 3 * z
    rows = x @ mixing.T + 1
    said = by_mlp(rows[:800], z[:800], rows[800:], 16, 100, 0.01, (0, 1))
    assert float((said == z[800:]).double().mean()) > 0.85
    assert torch.equal(said, by_mlp(rows[:800], z[:800], rows[800:], 16, 100, 0.01, (0, 1)))
    shuffled = z[torch.randperm(1200, generator=random)]
    said = by_mlp(rows[:800], shuffled[:800], rows[800:], 16, 100, 0.01, (0, 1))
    assert float((said == shuffled[800:]).double().mean()) == pytest.approx(0.5, abs=0.06)


def test_what_the_radius_tells_is_still_read_and_that_is_said():
    found = certify(fit_eraser(LeaceConfig(), *rings(0)), rings(0), rings(1), QUICK)
    assert found.guarded and found.still_read_by == ("knn", "mlp")
    assert found.findings["mlp"].value > 0.95
    assert "k nearest neighbours" in found.says[-1] and "not gone" in found.says[-1]
    assert found.table().rows[2][1] == str(found.findings["mlp"])


def test_a_random_eraser_is_certified_for_nothing():
    x, z = blobs(0)
    found = certify(fit_eraser(RandomEraserConfig(1), x, z), (x, z), blobs(1), QUICK)
    assert not found.guarded and "logistic" in found.still_read_by
    assert found.says[0].startswith("Not certified: class means are still")
    assert found.says[1].startswith("A logistic regression still reads it")


def test_labels_that_cannot_be_certified_are_refused():
    x, z = blobs(0)
    eraser = fit_eraser(LeaceConfig(), x, z)
    with pytest.raises(DataError, match="all 800 rows have the label 0"):
        certify(eraser, (x, 0 * z), (x, z), QUICK)
    with pytest.raises(DataError, match="among the 2 classes"):
        certify(eraser, (x, z), (x, z + 1), QUICK)


def test_the_price_by_hand():
    # Corners of a rectangle 2 x 4: variance 1 + 4. Labels by the side: erasing it takes 1 of 5, moves each row by 1.
    x = torch.tensor([[1.0, 0.0], [3.0, 0.0], [1.0, 4.0], [3.0, 4.0]], dtype=torch.float64)
    found = price(fit_eraser(LeaceConfig(), x, torch.tensor([0, 1, 0, 1])), x)
    assert found["mse"].value == pytest.approx(1.0)
    assert found["share_changed"].value == pytest.approx(0.2)
    assert found["variance_removed"].value == pytest.approx(0.2)
    assert found["mse"].n == 4 and found["mse"].control != pytest.approx(1.0)
    moved = price(fit_eraser(MeanDifferenceConfig(), x, torch.tensor([0, 1, 0, 1])), x)
    assert moved["mse"].value == pytest.approx(5.0)  # (1 + 9 + 1 + 9) / 4: as published it moves the mean too
    assert moved["variance_removed"].value == pytest.approx(0.2)


@pytest.mark.parametrize("site", ["resid_post.0", "attn_z.1", "mlp_act.0"])
def test_an_edit_erases_in_a_running_model(model: Model, tokens: Tensor, site: str):
    rows = model.run(tokens, [site])[site]
    z = (tokens % 3).flatten()
    eraser = fit_eraser(LeaceConfig(), rows.flatten(2).flatten(0, 1), z)
    edited = model.run(tokens, [site], [eraser.edit(site)])[site]
    want = eraser(rows.flatten(2)).view_as(rows)
    torch.testing.assert_close(edited, want)
    flat = edited.flatten(2).flatten(0, 1).double()
    means = torch.stack([flat[z == c].mean(0) for c in range(3)])
    assert float(means.std(0).max()) < 1e-5
    last = model.run(tokens, [site], [eraser.edit(site, [-1])])[site]
    assert torch.equal(last[:, :-1], rows[:, :-1]) and torch.equal(last[:, -1], edited[:, -1])


def test_an_eraser_of_nothing_costs_the_model_nothing(model: Model, tokens: Tensor):
    nothing = Eraser("leace", torch.zeros(12).double(), torch.zeros(12, 0).double(), torch.zeros(12, 0).double(), ())
    found = loss_price(model, tokens, {"resid_post.1": nothing})
    assert found["loss_added"].value == found["loss_added"].control == 0
    assert found["loss"].value == found["loss"].control


def test_the_loss_of_the_model_with_an_eraser(model: Model, tokens: Tensor):
    rows = model.run(tokens, ["resid_post.1"])["resid_post.1"]
    eraser = fit_eraser(LeaceConfig(), rows.flatten(0, 1), (tokens % 5).flatten())
    found = loss_price(model, tokens, {"resid_post.1": eraser})
    logits = model.run(tokens, ["logits"], [eraser.edit("resid_post.1")])["logits"][:, :-1]
    loss = float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()))
    assert found["loss"].value == pytest.approx(loss, rel=1e-6)
    assert found["loss_added"].value == pytest.approx(loss - (found["loss"].control or 0), abs=1e-6)
    assert found["loss_added"].low < found["loss_added"].value < found["loss_added"].high


def test_scrubbing_erases_every_layer_as_those_before_leave_it(model: Model, tokens: Tensor):
    z = tokens % 2
    z[:, 0] = -1  # not fitted on
    batches = [(tokens[:12], z[:12]), (tokens[12:], z[12:])]
    sites = ["resid_post.1", "blocks.0.hook_resid_post"]
    found = scrub(model, batches, sites)
    assert list(found) == ["resid_post.0", "resid_post.1"]
    edits = [eraser.edit(site) for site, eraser in found.items()]
    counted = z >= 0

    def gap(edits: list) -> float:
        rows = model.run(tokens, ["resid_post.1"], edits)["resid_post.1"][counted].double()
        return float((rows[z[counted] == 1].mean(0) - rows[z[counted] == 0].mean(0)).norm())

    assert gap(edits) < 1e-5
    assert gap(edits[:1]) > 100 * gap(edits) + 1e-3  # the second layer computes it again
    rows = model.run(tokens, ["resid_post.1"], edits[:1])["resid_post.1"][counted]
    torch.testing.assert_close(
        found["resid_post.1"].matrix(), fit_eraser(LeaceConfig(), rows, z[counted]).matrix(), rtol=1e-4, atol=1e-5
    )


def test_scrubbing_without_labels_is_refused(model: Model, tokens: Tensor):
    with pytest.raises(DataError, match="no position has a label"):
        scrub(model, [(tokens, torch.full_like(tokens, -1))], ["resid_post.0"])
    with pytest.raises(DataError, match=r"tokens \[30, 10\] came with labels \[30\]"):
        scrub(model, [(tokens, tokens[:, 0])], ["resid_post.0"])


def test_the_oracle_edits_too(model: Model, tokens: Tensor):
    rows, z = model.run(tokens, ["attn_z.0"])["attn_z.0"], tokens % 3
    fitter = EraserFitter(12, 3)
    fitter.update(rows.flatten(2).flatten(0, 1), z.flatten())
    oracle = fitter.oracle()
    edited = model.run(tokens, ["attn_z.0"], [oracle.edit("attn_z.0", z)])["attn_z.0"].flatten(2)
    torch.testing.assert_close(edited, oracle(rows.flatten(2), z))
    means = torch.stack([edited[z == c].double().mean(0) for c in range(3)])
    assert float(means.std(0).max()) < 1e-5


def test_an_eraser_comes_back_from_disk_bit_for_bit(tmp_path: Path):
    eraser = fit_eraser(LeaceConfig(), *blobs(0))
    save_eraser(eraser, tmp_path / "e")
    back = load_eraser(tmp_path / "e")
    assert (back.method, back.strengths) == (eraser.method, eraser.strengths)
    assert all(torch.equal(getattr(back, name), getattr(eraser, name)) for name in ("mean", "U", "V"))
    assert sorted(path.name for path in (tmp_path / "e").iterdir()) == ["eraser.json", "eraser.safetensors"]


def test_damage_on_disk_is_named(tmp_path: Path):
    with pytest.raises(RunError, match="holds no eraser"):
        load_eraser(tmp_path)
    save_eraser(fit_eraser(LeaceConfig(), *blobs(0)), tmp_path)
    tensors, about = tmp_path / "eraser.safetensors", tmp_path / "eraser.json"
    whole, said = tensors.read_bytes(), json.loads(about.read_text())
    for broken in (whole[:-9], whole[:-1] + b"\x01", b""):
        tensors.write_bytes(broken)
        with pytest.raises(DamagedError, match=r"eraser\.safetensors is"):
            load_eraser(tmp_path)
    tensors.unlink()
    with pytest.raises(DamagedError, match="is missing"):
        load_eraser(tmp_path)
    tensors.write_bytes(whole)
    about.write_text(json.dumps(said | {"format": 2}))
    with pytest.raises(MismatchError, match="this version reads 1"):
        load_eraser(tmp_path)
    about.write_text(json.dumps({"format": 1}))
    with pytest.raises(DamagedError, match="must have the keys"):
        load_eraser(tmp_path)
