"""Training: what it finds, what it must not find, and what it does when things go wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from monosema.core.errors import ConfigError, DamagedError, DataError, DivergedError, MismatchError
from monosema.core.seeding import generator
from monosema.dictionaries import DictionarySpec, TrainConfig, Trained, load, parse_spec, train
from tests.dictionaries.worlds import SITE, Rows, World, matched

SPECS = {
    "topk": "topk,k=2,n_features=32,lr=0.01,dead_after=2000",
    "batchtopk": "batchtopk,k=2,n_features=32,lr=0.01,dead_after=2000",
    "matryoshka": "matryoshka,k=2,n_features=32,lr=0.01,dead_after=2000,shares=0.5+1.0",
    "l1": "l1,penalty=0.5,n_features=32,lr=0.01,resample_rows=512",
    "tied": "tied=l1,penalty=0.5,tied=true,n_features=32,lr=0.01,resample_rows=512",
    "gated": "gated,penalty=0.5,n_features=32,lr=0.01",
    "jumprelu": "jumprelu,target=2.5,n_features=32,lr=0.01,warmup=0.5",
}
SHORT = TrainConfig(rows=128 * 30, batch_size=128, log_every=1, scaling_batches=2)


def specs(*names: str) -> list[DictionarySpec]:
    return [parse_spec(SPECS[name], (SITE,), (SITE,)) for name in names]


def curves(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]


class Noise(World):
    def rows(self, batch: int, *purpose: Any) -> torch.Tensor:
        return torch.randn(batch, self.d, generator=generator(0, *purpose))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "at_least"), [(SPECS["topk"], 0.9), (SPECS["batchtopk"], 0.7), ("l1,penalty=1,n_features=32,lr=0.01", 0.7)]
)
def test_finds_the_features_of_a_world_and_none_in_noise(text: str, at_least: float, tmp_path: Path):
    directions, spec = World().directions, parse_spec(text, (SITE,), (SITE,))
    config = TrainConfig(rows=512 * 600, batch_size=512, scaling_batches=2)

    def share_found(world: World, out: Path) -> float:
        found = train(world, [spec], config, out).dictionaries[spec.name]
        return float((matched(directions, found.W_dec) > 0.95).double().mean())

    assert share_found(World(), tmp_path / "world") >= at_least
    assert share_found(Noise(), tmp_path / "noise") <= 0.1


def test_many_in_one_pass_equal_each_alone(tmp_path: Path):
    together = train(World(), specs(*SPECS), SHORT, tmp_path / "all").dictionaries
    for name in SPECS:
        alone = train(World(), specs(name), SHORT, tmp_path / name).dictionaries[name]
        assert alone.fingerprint == together[name].fingerprint, name


def test_the_saved_folders_are_what_was_returned(tmp_path: Path):
    for name, dictionary in train(World(), specs(*SPECS), SHORT, tmp_path).dictionaries.items():
        assert load(tmp_path / name).fingerprint == dictionary.fingerprint
    assert not (tmp_path / "checkpoint.safetensors").exists()


def test_training_does_not_depend_on_the_scale_of_the_data(tmp_path: Path):
    small = train(World(), specs(*SPECS), SHORT, tmp_path / "1").dictionaries
    large = train(World(scale=64.0), specs(*SPECS), SHORT, tmp_path / "64").dictionaries
    x = World().rows(50, "test")
    for name in SPECS:
        here, there = small[name].encode(x), large[name].encode(64 * x)
        torch.testing.assert_close(there.dense() / 64, here.dense(), rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(
            large[name].reconstruct(64 * x) / 64, small[name].reconstruct(x), rtol=1e-3, atol=1e-4
        )


def test_decoder_rows_have_unit_norm_and_b_dec_starts_at_the_mean(tmp_path: Path):
    one_step = TrainConfig(rows=128, batch_size=128)
    slow = parse_spec("topk,k=2,n_features=32,lr=1e-9", (SITE,), (SITE,))
    d = train(World(offset=3.0), [slow], one_step, tmp_path).dictionaries["topk"]
    torch.testing.assert_close(d.W_dec.norm(dim=1), torch.ones(32))
    first = next(World(offset=3.0).batches(128, 0)).activations[SITE]
    assert float((d.b_dec - first.mean(0)).abs().max()) < 0.2


@pytest.mark.parametrize("reads", [("a",), ("a", "b")])
@pytest.mark.parametrize("writes", [("a",), ("b",), ("a", "b")])
def test_every_geometry_trains(reads: tuple[str, ...], writes: tuple[str, ...], tmp_path: Path):
    class Two(World):
        def __init__(self) -> None:
            super().__init__()
            self.widths = {"a": 12, "b": 8}

        def batch(self, x: torch.Tensor) -> Rows:
            inside = {"a": x, "b": 30 * x[:, :8] ** 2 - 4}
            return Rows(inside, torch.arange(len(x)), torch.zeros(len(x), dtype=torch.int64))

    spec = parse_spec(SPECS["topk"], reads, writes)
    d = train(Two(), [spec], TrainConfig(rows=128 * 150, batch_size=128), tmp_path).dictionaries["topk"]
    batch = Two().batch(Two().rows(512, "test"))
    x = torch.cat([batch.activations[site] for site in reads], 1)
    y = torch.cat([batch.activations[site] for site in writes], 1)
    rest = (d.reconstruct(x) - y).square().sum(0) / (y - y.mean(0)).square().sum(0)
    assert float(rest.mean()) < 0.6
    assert (d.d_in, d.d_out) == (x.shape[1], y.shape[1])


# ---- interruptions

KILLED = """
import os, signal, sys
from pathlib import Path
from tests.dictionaries.test_trainer import SPECS, specs
from tests.dictionaries.worlds import World
from monosema.dictionaries import TrainConfig, train

class Dying(World):
    def batches(self, batch_size, seed, start=0):
        for i, batch in enumerate(super().batches(batch_size, seed, start)):
            if start + i == 22 and len(sys.argv) > 2:
                os.kill(os.getpid(), signal.SIGKILL if sys.argv[2] == "kill" else signal.SIGINT)
            yield batch

config = TrainConfig(rows=128 * 30, batch_size=128, log_every=1, scaling_batches=2, checkpoint_seconds=0.0)
train(Dying(), specs(*SPECS), config, Path(sys.argv[1]))
"""


def run_killed(out: Path, *how: str) -> int:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", KILLED, str(out), *how], env=environment, capture_output=True
    ).returncode


@pytest.mark.slow
@pytest.mark.parametrize(("how", "status"), [("kill", -signal.SIGKILL), ("interrupt", -signal.SIGINT)])
def test_killed_and_resumed_equals_uninterrupted(how: str, status: int, tmp_path: Path):
    assert run_killed(tmp_path / "whole") == 0
    assert run_killed(tmp_path / "cut", how) == status
    assert (tmp_path / "cut" / "checkpoint.safetensors").exists()
    assert not (tmp_path / "cut" / "topk").exists()
    assert run_killed(tmp_path / "cut") == 0
    for name in SPECS:
        assert load(tmp_path / "cut" / name).fingerprint == load(tmp_path / "whole" / name).fingerprint, name
    assert curves(tmp_path / "cut") == curves(tmp_path / "whole")


class Interrupted(World):
    def batches(self, batch_size: int, seed: int, start: int = 0) -> Any:
        for i, batch in enumerate(super().batches(batch_size, seed, start)):
            if start + i == 9:
                raise KeyboardInterrupt
            yield batch


def interrupted(out: Path, *names: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(Interrupted(), specs(*names), SHORT, out)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path):
    interrupted(tmp_path, "topk")
    with pytest.raises(MismatchError, match="its dictionaries is"):
        train(World(), specs("batchtopk"), SHORT, tmp_path)
    with pytest.raises(MismatchError, match="its settings is"):
        train(World(), specs("topk"), TrainConfig(rows=128 * 31, batch_size=128), tmp_path)
    other = World()
    other.fingerprint = "another"
    with pytest.raises(MismatchError, match="its source is"):
        train(other, specs("topk"), SHORT, tmp_path)


def test_a_cut_checkpoint_is_named(tmp_path: Path):
    interrupted(tmp_path, "topk")
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DamagedError, match=r"checkpoint\.safetensors is not a whole checkpoint"):
        train(World(), specs("topk"), SHORT, tmp_path)


# ---- things that go wrong


def test_a_diverged_dictionary_is_stopped_and_kept_and_the_others_go_on(tmp_path: Path):
    wild = parse_spec("wild=l1,penalty=1e30,n_features=32,lr=1", (SITE,), (SITE,))
    events: list[dict[str, Any]] = []
    result = train(World(), [wild, *specs("topk")], SHORT, tmp_path, log=events.append)
    alone = train(World(), specs("topk"), SHORT, tmp_path / "alone").dictionaries["topk"]
    assert set(result.diverged) == {"wild"}
    assert result.dictionaries["topk"].fingerprint == alone.fingerprint
    kept = load(tmp_path / "diverged" / "wild")
    assert all(bool(torch.isfinite(t).all()) for t in kept.weights.named().values())
    assert [e["dictionary"] for e in events if e["event"] == "diverged"] == ["wild"]


def test_nothing_left_is_an_error(tmp_path: Path):
    wild = parse_spec("wild=l1,penalty=1e30,n_features=32,lr=1", (SITE,), (SITE,))
    with pytest.raises(DivergedError, match="every dictionary diverged"):
        train(World(), [wild], SHORT, tmp_path)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_one_bad_activation_stops_before_it_does_harm(bad: float, tmp_path: Path):
    class Bad(World):
        def batch(self, x: torch.Tensor) -> Rows:
            x[5, 3] = bad
            return super().batch(x)

    with pytest.raises(DataError, match=r"resid_post\.0 is not finite \(document 5, position 0\)"):
        train(Bad(), specs("topk"), SHORT, tmp_path)


def test_activations_that_never_vary_are_refused(tmp_path: Path):
    class Flat(World):
        def batch(self, x: torch.Tensor) -> Rows:
            return super().batch(torch.ones_like(x))

    with pytest.raises(DataError, match="all the same"):
        train(Flat(), specs("topk"), SHORT, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("batch_topk,k=3", "Did you mean 'batchtopk'"),
        ("topk,kk=3", "unknown setting 'kk'. Did you mean 'k'"),
        ("topk,k=33,n_features=32", "k is 33: it must be at least 1, at most 32"),
        ("topk,k=0", "k is 0"),
        ("topk,k", "'k' is not of the form setting=value"),
        ("topk,k=two", "expected int, got 'two'"),
        ("l1,penalty=-1", "penalty is -1.0"),
        ("l1,penalty=nan", "penalty is nan"),
        ("topk,lr=10", "lr is 10.0: it must be more than 0, at most 1"),
        ("topk,lr_warmup=0.9,lr_decay=0.5", "lr_warmup \\+ lr_decay is 1.4"),
        ("matryoshka,shares=0.5+0.25+1.0", "shares must rise"),
        ("a/b=topk", "cannot name a folder"),
        ("os:path", "is not an Architecture"),
        ("no_such_module:Thing", "cannot be imported"),
    ],
)
def test_ill_posed_specs_are_refused_in_words(text: str, message: str):
    with pytest.raises(ConfigError, match=message):
        parse_spec(text, (SITE,), (SITE,))


def test_ill_posed_runs_are_refused_before_the_first_step(tmp_path: Path):
    def attempt(*wanted: DictionarySpec) -> Trained:
        return train(World(), list(wanted), SHORT, tmp_path / "never")

    elsewhere = parse_spec(SPECS["topk"], ("resid_post.9",), ("resid_post.9",))
    tied = parse_spec(SPECS["tied"], (SITE,), ("b",))
    for wanted, message in [
        ([], "no dictionary to train"),
        (specs("topk", "topk"), "two dictionaries are called topk"),
        ([elsewhere], r"'topk' needs resid_post\.9; the activations are of resid_post\.0"),
        ([tied], "needs b"),
    ]:
        with pytest.raises(ConfigError, match=message):
            attempt(*wanted)
    with pytest.raises(ConfigError, match="at least one batch"):
        TrainConfig(rows=10, batch_size=128)
    assert not (tmp_path / "never").exists()


def test_the_learning_rate_rises_and_falls():
    o = parse_spec("topk,lr=0.5,lr_warmup=0.1,lr_decay=0.2", (SITE,), (SITE,)).optimiser
    assert [round(o.at(p), 6) for p in (0.0, 0.05, 0.1, 0.5, 0.8, 0.9, 1.0)] == [0, 0.5, 1, 1, 1, 0.5, 0]


def test_specs_survive_json():
    for spec in specs(*SPECS):
        assert DictionarySpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_progress_of_a_short_run_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    started = time.monotonic()
    train(World(), specs("topk"), SHORT, tmp_path)
    assert "train: 30 of 30 steps" in capsys.readouterr().err
    assert time.monotonic() - started < 60
