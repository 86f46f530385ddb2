"""The benchmark of probes on next to nothing: every contender finds what is planted, and says how long it took."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.probes import CONTENDERS, ProbesBenchConfig, main, pairs

SMALL = ProbesBenchConfig(rounds=1, pairs=150, d=12, restarts=2, epochs=600, sizes=(2.0,), threads=1)


@pytest.mark.slow
def test_all_contenders_find_what_is_planted_and_nothing_else():
    train, test = pairs(SMALL, 2.0)
    ended = {name: contender(SMALL, train, test) for name, contender in CONTENDERS.items()}
    assert all(end.accuracy > 0.9 for end in ended.values())
    assert ended["adamw"].loss == pytest.approx(ended["published"].loss, rel=0.1)
    assert ended["lbfgs"].loss < 1.05 * ended["published"].loss
    train, test = pairs(SMALL, 1e-6)
    assert all(contender(SMALL, train, test).accuracy < 0.65 for contender in CONTENDERS.values())


@pytest.mark.slow
def test_every_number_has_its_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = replace(SMALL, epochs=5, json=tmp_path / "rows")
    assert main(config) == 0
    rows = {row["name"]: row for row in json.loads((tmp_path / "rows").read_text())}
    of = "ccs, 150 pairs x 12, 2 restarts, size 2"
    assert rows[f"{of}/published/seconds"]["ratio"] == 1.0
    assert {f"{of}/{name}/{what}" for name in CONTENDERS for what in ("seconds", "loss", "accuracy")} == rows.keys()
    assert f"| {of}/lbfgs/seconds | " in capsys.readouterr().out
