"""The benchmark of attribution graphs on next to nothing: what is measured, and how two graphs are told apart."""

import json
from pathlib import Path

import pytest

from benchmarks.circuits import CONTENDERS, CircuitsBenchConfig, SizeConfig, Traced, main, rows_of

SMALL = SizeConfig(n_layers=2, d_model=16, n_heads=2, d_vocab=31, n_features=40, n_tokens=6, share=0.2)


def traced(path: Path, seconds: list[float], nodes: list[list[int]], edges: list[list[int]]) -> Traced:
    path.write_text(json.dumps({"nodes": nodes, "edges": edges}))
    return Traced(seconds, [1.0 for _ in seconds], 10.0, {"nodes": 9, "kept": len(nodes), "edges": len(edges)}, path)


def test_graphs_are_compared_by_name_and_times_within_rounds(tmp_path: Path):
    first = traced(tmp_path / "a", [10.0, 20.0, 30.0], [[0, 5, 1], [1, 2, 1], [2, 7, 1]], [[0, 1], [1, 2]])
    second = traced(tmp_path / "b", [2.0, 2.0, 3.0], [[2, 7, 1], [0, 5, 1]], [[1, 0]])
    rows = {row.name: row for row in rows_of({"circuit_tracer": first, "ours": second})}
    assert rows["ours/seconds"].value == 2.0
    assert rows["ours/seconds"].ratio == pytest.approx(0.1)  # of .2, .1 and .1
    assert rows["ours/processor"].ratio == 1.0
    assert rows["shared/nodes"].value == pytest.approx(2 / 3)
    assert rows["shared/edges"].value == 0  # from 0_5_1 to 2_7_1 directly; the other goes by 1_2_1
    again = {row.name: row.value for row in rows_of({"circuit_tracer": first, "ours": first})}
    assert (again["shared/nodes"], again["shared/edges"]) == (1, 1)


@pytest.mark.slow
def test_ours_is_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = CircuitsBenchConfig(size=SMALL, rounds=1, threads=1, contenders=("ours",), json=tmp_path / "rows")
    assert main(config) == 0
    rows = {row["name"]: row["value"] for row in json.loads((tmp_path / "rows").read_text())}
    assert rows["ours/seconds"] > 0
    assert rows["ours/kept"] <= rows["ours/nodes"]
    assert rows["ours/edges"] > 0
    assert "shared/nodes" not in rows
    assert [one.name for one in CONTENDERS] == ["circuit_tracer", "ours"]
    assert "| ours/seconds | " in capsys.readouterr().out
