"""The whole benchmark on next to nothing: ours, the dense reference and the floors."""

import json
from dataclasses import fields
from pathlib import Path

import pytest

from benchmarks.contenders import CONTENDERS, PEERS_VARIABLE, chosen, timed
from benchmarks.tables import TrainingRow
from benchmarks.train import BenchConfig, QualityConfig, RoundConfig, SizeConfig, main
from monosema.core.errors import ConfigError
from monosema.dictionaries import parse_spec

SIZE = SizeConfig(n_features=(64,), d_in=16, k=4, batch=32, threads=1, held_out=64)
ROUNDS = RoundConfig(rounds=1, steps=2, warmup=1)
PROMISED = {"name", "tokens_per_second", "ratio_to_dense", "peak_mb", "loss", "low", "high"}


@pytest.mark.slow
def test_the_rows_that_were_promised(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    names = ("topk", "floor_f32", "floor_bf16")
    config = BenchConfig(SIZE, ROUNDS, contenders=names, json=tmp_path / "rows", markdown=tmp_path / "table")
    assert main(config) == 0
    rows = {row["name"]: row for row in json.loads((tmp_path / "rows").read_text())}
    assert rows.keys() == {"dense/64", "topk/64", "floor_f32/64", "floor_bf16/64"}
    for row in rows.values():
        assert row.keys() == PROMISED
        assert row["low"] <= row["tokens_per_second"] <= row["high"]
    assert rows["dense/64"]["ratio_to_dense"] == 1.0
    assert rows["floor_f32/64"]["ratio_to_dense"] > 1.0
    assert rows["floor_f32/64"]["loss"] is None
    assert 0 < rows["topk/64"]["loss"] < 2
    table = capsys.readouterr().out
    assert (tmp_path / "table").read_text() == table
    assert "\n| topk | " in table


@pytest.mark.slow
def test_losses_over_seeds(tmp_path: Path):
    config = BenchConfig(
        SIZE, loss=QualityConfig(True, 320, 32, 2, (0.01,)), contenders=("dense",), json=tmp_path / "rows"
    )
    assert main(config) == 0
    rows = {row["name"]: row for row in json.loads((tmp_path / "rows").read_text())}
    assert rows.keys() == {"loss/dense,lr=0.01/64"}
    for row in rows.values():
        assert row.keys() == PROMISED
        assert row["tokens_per_second"] is None
        assert 0 < row["low"] < row["loss"] < row["high"]


def test_what_is_not_installed_is_named_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv(PEERS_VARIABLE, str(tmp_path))
    config = BenchConfig(SIZE, ROUNDS, contenders=("saelens_topk",), json=tmp_path / "rows")
    assert main(config) == 0
    assert "saelens_topk: not installed: make peers-bench\n" in capsys.readouterr().err
    assert [row["name"] for row in json.loads((tmp_path / "rows").read_text())] == ["dense/64"]


def test_a_contender_that_nobody_knows_names_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown contender 'saelens_topkk'\. Did you mean 'saelens_topk'"):
        chosen(("saelens_topkk",))


def test_a_row_has_the_fields_that_were_promised():
    assert {field.name for field in fields(TrainingRow)} == PROMISED


@pytest.mark.parametrize(
    ("name", "setting"),
    [("topk", "dead_after=62500"), ("jumprelu", "dead_after=62500"), ("l1", "resample_at="), ("gated", None)],
)
def test_what_takes_a_share_of_the_run_is_timed_as_in_a_run_of_usual_length(name: str, setting: str | None):
    given = CONTENDERS[name].settings["spec"]
    spec = timed(CONTENDERS[name]).settings["spec"]
    assert spec == (given if setting is None else f"{given},{setting}")
    parse_spec(spec.replace("{k}", "32"), ("resid_post.0",), ("resid_post.0",))


def test_the_others_are_timed_as_they_are():
    assert timed(CONTENDERS["saelens_topk"]) == CONTENDERS["saelens_topk"]
