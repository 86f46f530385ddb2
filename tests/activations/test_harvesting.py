"""A harvest holds what the model gives, resumes exactly, and says what is wrong with its input."""

import errno
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from monosema.activations import HarvestConfig, harvest, open_store, shards
from monosema.activations.manifest import read_manifest
from monosema.core.errors import ConfigError, DataError, MismatchError, RunError, SiteError

SITES = ["resid_post.0", "resid_post.1", "attn_z.0"]
SMALL = HarvestConfig(
    batch_size=4, dtype="float32", shard_rows=64, outlier_factor=1e6
)  # shards of 2 passes of 4 blocks of 8


def test_the_shards_hold_every_usable_row_bit_for_bit_in_order(tmp_path, tokens, model):
    store = harvest(model, tokens, SITES, tmp_path, SMALL)
    blocks = tokens.blocks(0, tokens.n_blocks)
    files = [load_file(tmp_path / shard.file) for shard in store.manifest.shards]  # the safetensors library reads them
    for site in SITES:
        x = model.run(blocks.tokens, [site])[site].flatten(2)[blocks.usable]
        assert torch.equal(torch.cat([file[site] for file in files]), x)
    assert torch.equal(torch.cat([file["tokens"] for file in files]).long(), blocks.tokens[blocks.usable])
    assert torch.equal(torch.cat([file["documents"] for file in files]).long(), blocks.documents[blocks.usable])
    assert store.widths == {"resid_post.0": 6, "resid_post.1": 4, "attn_z.0": 6}
    assert len(store.manifest.shards) == -(-tokens.n_blocks // 8)


def test_several_sites_cost_one_pass_each_batch(tmp_path, tokens, model):
    harvest(model, tokens, SITES, tmp_path, SMALL)
    assert model.passes == -(-tokens.n_blocks // 4)


def test_what_is_left_out_is_counted(tmp_path, tokens, model):
    store = harvest(model, tokens, SITES[:1], tmp_path, SMALL)
    n_bos, n_padding = int((tokens.ids == 0).sum()), int((tokens.owners < 0).sum())
    assert n_bos == 40 and n_padding > 0
    assert store.excluded == {"bos": n_bos, "padding": n_padding, "outlier_norm": 0}
    assert store.n_rows == tokens.ids.numel() - n_bos - n_padding


def test_bos_and_padding_can_be_kept(tmp_path, tokens, model):
    config = replace(SMALL, exclude_bos=False, exclude_padding=False)
    store = harvest(model, tokens, SITES[:1], tmp_path, config)
    assert store.n_rows == tokens.ids.numel()
    assert store.excluded == {"bos": 0, "padding": 0, "outlier_norm": 0}


def planted(site: str, ids: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Token 7 is an outlier at resid_post.1 alone, 100 times as long as it was."""
    return torch.where((ids == 7)[..., None], 100 * x, x) if site == "resid_post.1" else x


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_planted_outliers_are_left_out_at_every_site_and_counted(tmp_path, tokens, model, dtype):
    model.spoil = planted
    config = HarvestConfig(batch_size=4, dtype=dtype, shard_rows=64, outlier_factor=10.0)
    store = harvest(model, tokens, SITES[:2], tmp_path, config)
    n_planted = int((tokens.ids == 7).sum())
    assert n_planted > 3
    assert store.excluded["outlier_norm"] == n_planted
    kept = torch.cat([load_file(tmp_path / shard.file)["tokens"] for shard in store.manifest.shards])
    assert not (kept == 7).any() and len(kept) == store.n_rows
    everything = harvest(model, tokens, SITES[:2], tmp_path / "all", replace(config, exclude_outliers=False))
    assert everything.n_rows == store.n_rows + n_planted


def test_the_limit_is_the_factor_times_the_median_of_the_first_shard(tmp_path, tokens, model):
    store = harvest(model, tokens, ["resid_post.0"], tmp_path, replace(SMALL, outlier_factor=10.0))
    blocks = tokens.blocks(0, 8)
    norms = model.run(blocks.tokens, ["resid_post.0"])["resid_post.0"][blocks.usable].norm(dim=1)
    assert store.manifest.sites[0].norm_limit == pytest.approx(10 * float(norms.median()), rel=1e-6)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_an_activation_that_is_not_finite_is_named(tmp_path, tokens, model, value):
    block, position = 9, 5
    document = int(tokens.owners[block, position])
    at = tokens.ids[block].clone()
    assert document >= 0 and at[position] > 1

    def spoil(site, ids, x):
        x = x.clone()
        if site == "resid_post.0":
            x[(ids == at).all(1), position, 2] = value
        return x

    model.spoil = spoil
    with pytest.raises(DataError, match=rf"resid_post.0 is not finite in document 'document-{document}' at position 5"):
        harvest(model, tokens, SITES, tmp_path, SMALL)
    with pytest.raises(RunError, match="interrupted, 1 of"):  # the first shard is before block 9 and stays
        open_store(tmp_path)


def test_nan_at_padding_and_bos_harms_nothing(tmp_path, tokens, model):
    model.spoil = lambda _site, ids, x: x.masked_fill((ids < 2)[..., None], float("nan"))
    assert harvest(model, tokens, ["resid_post.0"], tmp_path, SMALL).n_rows > 0


def test_a_value_beyond_float16_is_named_unless_it_is_an_outlier(tmp_path, tokens, model):
    model.spoil = lambda _site, _ids, x: x * 1e5
    config = HarvestConfig(batch_size=4, shard_rows=64)
    with pytest.raises(
        DataError, match=r"exceeds 65504, the largest float16, in document .* store bfloat16 or float32"
    ):
        harvest(model, tokens, ["resid_post.0"], tmp_path / "all", config)
    assert harvest(model, tokens, ["resid_post.0"], tmp_path / "wide", replace(config, dtype="bfloat16")).n_rows > 0
    model.spoil = lambda _site, ids, x: torch.where((ids == 7)[..., None], 1e6 * x, x)
    store = harvest(model, tokens, ["resid_post.0"], tmp_path / "few", config)
    assert store.excluded["outlier_norm"] == int((tokens.ids == 7).sum())


SCRIPT = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from activations.toys import ToyModel, ToyTokens
from activations.test_harvesting import SITES, SMALL
from monosema.activations import harvest
from pathlib import Path
def die(n):
    if n == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
harvest(ToyModel(after=die), ToyTokens(), SITES, Path(sys.argv[2]), SMALL)
"""


@pytest.mark.slow
def test_a_harvest_killed_at_any_moment_resumes_to_the_same_store(tmp_path, tokens, model):
    whole = harvest(model, tokens, SITES, tmp_path / "whole", SMALL)
    out = tmp_path / "killed"
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(Path(__file__).parent.parent), str(out), "7"], check=False
    )
    assert ended.returncode == -signal.SIGKILL
    assert len(read_manifest(out).shards) == 3  # passes 0..5 are three shards of two; pass 6 is lost
    (out / ".00003.safetensors.123.tmp").write_bytes(b"half")  # as kill -9 leaves it in the middle of a write
    model.passes = 0
    resumed = harvest(model, tokens, SITES, out, SMALL)
    assert model.passes == -(-tokens.n_blocks // 4) - 6
    assert resumed.fingerprint == whole.fingerprint
    assert sorted(p.name for p in out.iterdir()) == sorted(p.name for p in whole.path.iterdir())
    assert all((out / p.name).read_bytes() == p.read_bytes() for p in whole.path.iterdir())


@pytest.mark.parametrize("passes", [0, 1, 2, 5, 8])
def test_a_harvest_that_is_interrupted_resumes_to_the_same_store(tmp_path, tokens, model, passes):
    whole = harvest(model, tokens, SITES, tmp_path / "whole", SMALL)

    def interrupt(n):
        if n == passes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        harvest(replace(model, passes=0, after=interrupt), tokens, SITES, tmp_path / "cut", SMALL)
    assert harvest(model, tokens, SITES, tmp_path / "cut", SMALL).fingerprint == whole.fingerprint


def test_a_finished_harvest_is_opened_without_a_pass(tmp_path, tokens, model):
    first = harvest(model, tokens, SITES, tmp_path, SMALL)
    model.passes = 0
    assert harvest(model, tokens, SITES, tmp_path, SMALL).fingerprint == first.fingerprint
    assert model.passes == 0


def test_a_lost_or_cut_shard_is_made_again_and_no_other(tmp_path, tokens, model):
    first = harvest(model, tokens, SITES, tmp_path, SMALL)
    (tmp_path / "00000.safetensors").unlink()
    os.truncate(tmp_path / "00003.safetensors", 100)
    model.passes = 0
    assert harvest(model, tokens, SITES, tmp_path, SMALL).fingerprint == first.fingerprint
    assert model.passes == 4
    open_store(tmp_path, verify=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda m, t: (replace(m, fingerprint="other"), t, SITES, SMALL),
            "harvested from model toy-model .* this is other",
        ),
        (
            lambda m, t: (m, type(t)(seed=1), SITES, SMALL),
            "harvested from corpus toy-corpus-40-0, this is toy-corpus-40-1",
        ),
        (lambda m, t: (m, t, SITES[:1], SMALL), "holds resid_post.0, resid_post.1, attn_z.0; asked for resid_post.0"),
        (lambda m, t: (m, t, SITES, replace(SMALL, dtype="float16")), "with dtype float32, not float16"),
    ],
)
def test_a_store_of_something_else_is_refused_in_words(tmp_path, tokens, model, change, words):
    before = harvest(model, tokens, SITES, tmp_path, SMALL).fingerprint
    other_model, other_tokens, sites, config = change(model, tokens)
    with pytest.raises(MismatchError, match=words):
        harvest(other_model, other_tokens, sites, tmp_path, config)
    assert open_store(tmp_path, verify=True).fingerprint == before


def test_a_full_disk_is_one_line_and_the_harvest_resumes(tmp_path, tokens, model, monkeypatch):
    whole = harvest(model, tokens, SITES, tmp_path / "whole", SMALL)

    class Full:
        written = 0

        def __call__(self, fields):
            self.written += 1
            if self.written == 4:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(fields)

    real = shards._header
    monkeypatch.setattr(shards, "_header", Full())
    with pytest.raises(RunError, match=r"no space left for .*00003.safetensors: free some, then repeat the command"):
        harvest(model, tokens, SITES, tmp_path / "full", SMALL)
    names = sorted(p.name for p in (tmp_path / "full").iterdir())
    assert names == ["00000.safetensors", "00001.safetensors", "00002.safetensors", "manifest.json"]
    monkeypatch.undo()
    assert harvest(model, tokens, SITES, tmp_path / "full", SMALL).fingerprint == whole.fingerprint


def test_a_disk_too_small_is_refused_before_the_first_pass(tmp_path, tokens, model, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(RunError, match="the harvest may need"):
        harvest(model, tokens, SITES, tmp_path, SMALL)
    assert model.passes == 0


@pytest.mark.parametrize(
    ("sites", "error", "words"),
    [
        ([], ConfigError, "no site was given"),
        (["resid_post.0", "blocks.0.hook_resid_post"], ConfigError, "resid_post.0 is asked for twice"),
        (["attn_pattern.0"], SiteError, "no row per token"),
    ],
)
def test_sites_that_cannot_be_harvested_are_refused(tmp_path, tokens, model, sites, error, words):
    with pytest.raises(error, match=words):
        harvest(model, tokens, sites, tmp_path / "store", SMALL)
    assert not (tmp_path / "store").exists()


def test_tokens_longer_than_the_model_takes_are_refused(tmp_path, tokens, model):
    with pytest.raises(ConfigError, match="blocks of 8 from a vocabulary of 50; toy takes 4 and 50"):
        harvest(replace(model, n_context=4), tokens, SITES, tmp_path, SMALL)


@pytest.mark.parametrize(
    "bad", [{"batch_size": 0}, {"outlier_factor": 1.0}, {"outlier_factor": float("nan")}, {"shard_rows": 0}]
)
def test_settings_that_cannot_work_are_refused(bad):
    with pytest.raises(ConfigError):
        HarvestConfig(**bad)


def test_the_config_imports_no_torch():
    code = "import sys; from monosema.activations import HarvestConfig; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
