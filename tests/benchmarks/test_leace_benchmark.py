"""The benchmark of LEACE on next to nothing: ours and the plain reference find the same projection, and say so."""

import json
from pathlib import Path

import pytest
import torch

from benchmarks.leace import CONTENDERS, LeaceBenchConfig, exact, main, prepared

SMALL = LeaceBenchConfig(rounds=1, rows=3000, passes=2, d=16, batch=700, threads=1)


def test_exactness_is_measured_against_the_closed_form(tmp_path: Path):
    x, z = prepared(SMALL, tmp_path)
    off, left = exact(x, z, torch.eye(16).double(), SMALL)
    assert off == pytest.approx(1.0) and left == pytest.approx(1.0)  # nothing erased: all of it is wrong
    u = torch.nn.functional.normalize((x[z == 1].double().mean(0) - x[z == 0].double().mean(0)), dim=0)
    off, left = exact(x, z, torch.eye(16).double() - torch.outer(u, u), SMALL)
    assert off > 0.01 and left < 1e-12  # guarded, at another price


@pytest.mark.slow
def test_every_contender_is_timed_and_exact(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("benchmarks.leace.CONTENDERS", (CONTENDERS[0], CONTENDERS[2]))
    config = LeaceBenchConfig(rounds=1, rows=3000, passes=2, d=16, batch=700, threads=1, json=tmp_path / "rows")
    assert main(config) == 0
    rows = {row["name"]: row for row in json.loads((tmp_path / "rows").read_text())}
    for name in ("ours", "plain"):
        assert rows[f"{name}/seconds"]["value"] > 0
        assert rows[f"{name}/off"]["value"] < 1e-5 and rows[f"{name}/left"]["value"] < 1e-5
    assert rows["ours/seconds"]["ratio"] == 1.0
    assert "| plain/seconds | " in capsys.readouterr().out
