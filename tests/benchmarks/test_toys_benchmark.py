"""The benchmark of toy models on next to nothing: every contender learns the same, and says so."""

import json
from pathlib import Path

import pytest

from benchmarks.stacks import CONTENDERS, Setting, loss_of
from benchmarks.toys import ToysBenchConfig, main
from monosema.toys.settings import PhaseGridConfig


@pytest.mark.slow
def test_all_contenders_reach_the_same_loss_after_equal_steps():
    setting = Setting(n=5, m=2, n_models=4, steps=300)
    losses = {name: loss_of(train(setting), setting) for name, train in CONTENDERS.items()}
    before = loss_of(setting.first(), setting)
    assert all(loss < 0.7 * before for loss in losses.values())
    assert losses["loop"] == pytest.approx(losses["stacked"], rel=0.03)
    assert losses["teaching"] == pytest.approx(losses["stacked"], rel=0.03)


@pytest.mark.slow
def test_every_number_has_its_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    phase = PhaseGridConfig(cells=2, restarts=2, steps=5)
    config = ToysBenchConfig(1, 2, 3, ((5, 2),), phase, threads=1, json=tmp_path / "rows")
    assert main(config) == 0
    rows = {row["name"]: row for row in json.loads((tmp_path / "rows").read_text())}
    assert rows["phase 2 x 2, 2 restarts/seconds"]["value"] > 0
    assert rows["n=5 m=2, 3 models/loop/step"]["ratio"] == 1.0
    assert rows["n=5 m=2, 3 models/stacked/step"]["ratio"] > 0
    assert {f"n=5 m=2, 3 models/{name}/loss" for name in CONTENDERS} <= rows.keys()
    assert "| n=5 m=2, 3 models/teaching/step | " in capsys.readouterr().out
