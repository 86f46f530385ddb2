"""Training from scratch: what it learns, what it counts, and that no interruption changes a bit."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from monosema.core.config import from_json
from monosema.core.errors import ConfigError, DamagedError, DataError, DivergedError, MismatchError, RunError
from monosema.models import LMConfig, load, train_small
from monosema.models.training import block_numbers, learning_rate

from .synthetic import Counting

TRAIN, HELD_OUT = Counting(23), Counting(7, name="held out")
TINY = LMConfig(n_layers=1, d_model=16, n_heads=2, steps=12, batch_size=4, lr=1e-2, eval_every=4)


class CrashError(Exception):
    pass


def crash_at(step: int):
    def log(**row: float) -> None:
        if row["step"] == step:
            raise CrashError

    return log


def weights(out: Path) -> bytes:
    return (out / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """An uninterrupted training."""
    out = tmp_path_factory.mktemp("whole")
    train_small(TRAIN, HELD_OUT, TINY, out)
    return out


@pytest.mark.slow
def test_it_learns_to_count(tmp_path):
    rows = []
    config = LMConfig(n_layers=1, d_model=32, n_heads=2, steps=150, batch_size=8, lr=1e-2, eval_every=50)
    train_small(TRAIN, HELD_OUT, config, tmp_path, log=lambda **row: rows.append(row))
    recipe = json.loads((tmp_path / "recipe.json").read_text())
    found = recipe["held_out_loss"]
    # Eight of nine text tokens follow from the one before; the first is one of ten: log(10) / 9 = 0.256.
    assert 0.2 < found["value"] < 0.35
    assert abs(found["control"] - math.log(10)) < 0.05
    assert found["low"] <= found["value"] <= found["high"]
    assert found["n"] == 7
    assert [row["step"] for row in rows] == [50, 100, 150]
    assert rows == recipe["curve"]
    assert rows[0]["held_out"] > rows[-1]["held_out"]


def test_a_training_that_crashed_goes_on_to_the_same_bits(tmp_path, whole):
    with pytest.raises(CrashError):
        train_small(TRAIN, HELD_OUT, TINY, tmp_path, log=crash_at(8), checkpoint_seconds=0.0)
    assert not (tmp_path / "model.safetensors").exists()
    rows = []
    train_small(TRAIN, HELD_OUT, TINY, tmp_path, log=lambda **row: rows.append(row["step"]))
    assert rows == [8, 12]  # the crash was before the checkpoint of step 8
    assert weights(tmp_path) == weights(whole)
    curves = [json.loads((out / "recipe.json").read_text())["curve"] for out in (tmp_path, whole)]
    assert curves[0] == curves[1]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in whole.iterdir())


@pytest.mark.slow
def test_a_training_killed_with_signal_9_goes_on_to_the_same_bits(tmp_path, whole):
    script = f"""
import os, signal, sys, torch
torch.set_num_threads(1)
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from synthetic import Counting
from monosema.models import LMConfig, train_small

def die(**row):
    if row["step"] == 8:
        os.kill(os.getpid(), signal.SIGKILL)

config = LMConfig(n_layers=1, d_model=16, n_heads=2, steps=12, batch_size=4, lr=1e-2, eval_every=4)
out = Path({str(tmp_path)!r})
train_small(Counting(23), Counting(7, name="held out"), config, out, log=die, checkpoint_seconds=0.0)
"""
    died = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert (tmp_path / "checkpoint.safetensors").exists()
    train_small(TRAIN, HELD_OUT, TINY, tmp_path)
    assert weights(tmp_path) == weights(whole)


def test_ctrl_c_writes_a_checkpoint_and_is_passed_on(tmp_path, whole):
    def press(**row: float) -> None:
        if row["step"] == 4:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="stopped after step 4: the same command goes on"):
        train_small(TRAIN, HELD_OUT, TINY, tmp_path, log=press)
    assert signal.getsignal(signal.SIGINT) is before
    rows = []
    train_small(TRAIN, HELD_OUT, TINY, tmp_path, log=lambda **row: rows.append(row["step"]))
    assert rows == [8, 12]
    assert weights(tmp_path) == weights(whole)


def test_a_run_killed_while_the_model_was_being_saved_is_completed(tmp_path, whole, monkeypatch):
    def crash(*_: object) -> None:
        raise CrashError

    with monkeypatch.context() as patched, pytest.raises(CrashError):
        patched.setattr("monosema.models.training.write_json", crash)
        train_small(TRAIN, HELD_OUT, TINY, tmp_path)
    train_small(TRAIN, HELD_OUT, TINY, tmp_path, log=crash_at(12))
    assert weights(tmp_path) == weights(whole)
    assert (tmp_path / "recipe.json").exists()


def test_a_finished_training_is_not_repeated(whole):
    again = train_small(TRAIN, HELD_OUT, TINY, whole, log=crash_at(4))
    assert again.fingerprint == load(whole).fingerprint == json.loads((whole / "recipe.json").read_text())["model"]


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    ("corpus", "config", "message"),
    [
        (TRAIN, {"lr": 0.02}, "lr 0.01, not 0.02: give the same settings and corpus, or a new folder"),
        (TRAIN, {"n_layers": 2, "seed": 5}, "n_layers 1, not 2; seed 0, not 5"),
        (Counting(24), {}, "corpus 'counting 23', not 'counting 24'"),
    ],
)
def test_another_config_or_corpus_is_not_mixed_in(tmp_path, whole, finished, corpus, config, message):
    out = whole if finished else tmp_path
    if not finished:
        with pytest.raises(CrashError):
            train_small(TRAIN, HELD_OUT, TINY, out, log=crash_at(4), checkpoint_seconds=0.0)
    settings = {name: getattr(TINY, name) for name in LMConfig.__dataclass_fields__} | config
    with pytest.raises(MismatchError, match=message):
        train_small(corpus, HELD_OUT, from_json(LMConfig, settings), out)


def test_a_checkpoint_that_was_cut_is_named(tmp_path):
    with pytest.raises(CrashError):
        train_small(TRAIN, HELD_OUT, TINY, tmp_path, log=crash_at(4), checkpoint_seconds=0.0)
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DamagedError, match=r"checkpoint\.safetensors is not a whole checkpoint"):
        train_small(TRAIN, HELD_OUT, TINY, tmp_path)


def test_a_model_made_elsewhere_is_not_overwritten(tmp_path, build):
    build("gpt2").save_pretrained(tmp_path)
    before = weights(tmp_path)
    with pytest.raises(RunError, match="holds a model that was not trained here"):
        train_small(TRAIN, HELD_OUT, TINY, tmp_path)
    assert weights(tmp_path) == before


def test_a_training_that_diverges_names_the_step(tmp_path):
    config = LMConfig(n_layers=1, d_model=16, n_heads=2, steps=12, batch_size=4, lr=1e30, warmup=0.0)
    with pytest.raises(DivergedError, match=r"the loss is nan at step \d+: train with a lower lr than 1e\+30"):
        train_small(TRAIN, HELD_OUT, config, tmp_path)
    assert not (tmp_path / "model.safetensors").exists()


def test_what_stands_in_the_padding_changes_no_bit(tmp_path, whole):
    # Padding comes last, is seen by no text token, and its prediction is not counted.
    train_small(Counting(23, pad=5), Counting(7, name="held out"), TINY, tmp_path)
    assert weights(tmp_path) == weights(whole)


def test_a_row_of_the_curve_is_the_mean_since_the_last_and_costs_no_bit(tmp_path, whole):
    settings = {name: getattr(TINY, name) for name in LMConfig.__dataclass_fields__}
    train_small(TRAIN, HELD_OUT, from_json(LMConfig, settings | {"eval_every": 1}), tmp_path)
    every, fourth = (json.loads((out / "recipe.json").read_text())["curve"] for out in (tmp_path, whole))
    means = [sum(row["loss"] for row in every[i : i + 4]) / 4 for i in (0, 4, 8)]
    assert [row["loss"] for row in fourth] == pytest.approx(means)
    assert [row["held_out"] for row in fourth] == [row["held_out"] for row in every[3::4]]
    assert weights(tmp_path) == weights(whole)


def test_the_seed_sets_weights_and_order(tmp_path, whole):
    settings = {name: getattr(TINY, name) for name in LMConfig.__dataclass_fields__}
    train_small(TRAIN, HELD_OUT, from_json(LMConfig, settings | {"seed": 1}), tmp_path)
    assert weights(tmp_path) != weights(whole)


def test_half_precision_storage_is_what_is_loaded(tmp_path, whole):
    settings = {name: getattr(TINY, name) for name in LMConfig.__dataclass_fields__}
    model = train_small(TRAIN, HELD_OUT, from_json(LMConfig, settings | {"save_dtype": "bfloat16"}), tmp_path)
    full, half = (load_file(out / "model.safetensors") for out in (whole, tmp_path))
    assert "lm_head.weight" not in half
    assert all(torch.equal(half[name], tensor.bfloat16()) for name, tensor in full.items())
    assert torch.equal(model.module.transformer.wte.weight, half["transformer.wte.weight"].float())


def test_the_rate_warms_up_and_falls_along_a_cosine():
    # Warm-up over 4 of 20 steps: 1/5, 2/5, 3/5, 4/5 of the peak; halfway down the remaining 16 it is half.
    config = LMConfig(steps=20, warmup=0.2, lr=0.5)
    rates = [learning_rate(config, step) for step in range(20)]
    assert rates[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert rates[12] == pytest.approx(0.25)
    assert rates[19] == pytest.approx(0.25 * (1 + math.cos(math.pi * 15 / 16)))


@pytest.mark.parametrize("batch_size", [1, 3, 10, 25])
def test_every_epoch_is_every_block_once_whatever_the_batch(batch_size):
    row = torch.cat([block_numbers(10, batch_size, step, seed=3) for step in range(60 // batch_size)])
    order = torch.cat([block_numbers(10, 10, epoch, seed=3) for epoch in range(6)])
    assert torch.equal(row, order[: len(row)])
    assert all(torch.equal(epoch.sort().values, torch.arange(10)) for epoch in order.split(10))
    assert not torch.equal(order[:10], order[10:20])
    assert not torch.equal(order[:10], block_numbers(10, 10, 0, seed=4))


@pytest.mark.parametrize(
    ("train", "held_out", "error", "message"),
    [
        (Counting(0), HELD_OUT, DataError, "the training corpus has no blocks"),
        (TRAIN, Counting(0), DataError, "the held-out corpus has no blocks"),
        (TRAIN, Counting(7, d_vocab=20), MismatchError, "has 12 tokens and context 12, the held-out one 20 and 12"),
    ],
)
def test_corpora_that_cannot_be_used_are_refused(tmp_path, train, held_out, error, message):
    with pytest.raises(error, match=message):
        train_small(train, held_out, TINY, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"d_model": 30, "n_heads": 4}, "d_model 30 is not a multiple of n_heads 4"),
        ({"steps": 0}, "steps is 0: it must be at least 1"),
        ({"lr": 0.0}, "lr is 0.0: it must be more than 0"),
        ({"warmup": 1.5}, "warmup is 1.5: it must be at least 0, at most 1"),
        ({"learning_rate": 1.0}, "unknown setting 'learning_rate'"),
    ],
)
def test_a_config_that_cannot_work_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        from_json(LMConfig, settings)
