"""`monosema demo`, small: every stage, what it leaves, what it says, and that it ends unless told to stay."""

import pytest

from monosema.cli import main
from monosema.core.runs import read_json
from monosema.pipeline import demo as stages

pytestmark = pytest.mark.slow
TINY = stages.Budget(tokens=4000, rows=4096, n_features=64, scored=1024, tabled=1024, takes="a moment")


@pytest.fixture
def tiny(texts, tmp_path, monkeypatch):
    """The words of a demo that takes a moment."""
    monkeypatch.setitem(stages.BUDGETS, "quick", TINY)
    monkeypatch.setattr(stages, "DICTIONARIES", ("l1,penalty=1", "topk,k=4", "jumprelu,target=4"))
    return ["demo", "--run", str(tmp_path / "demo"), "--corpus", str(texts), "--quick"]


def test_it_ends_with_tables_a_single_file_and_where_to_look(tiny, tmp_path, capsys, monkeypatch):
    run = tmp_path / "demo"
    assert main(tiny) == 0
    said = capsys.readouterr().out
    for name in stages.TABLED:
        manifest = read_json(run / "features" / name / "table.json")
        assert (manifest["state"], manifest["n_features"]) == ("done", TINY.n_features)
    scores = read_json(run / "scorecard.json")["findings"]
    best = max(stages.TABLED, key=lambda name: scores[name]["loss_recovered_mean"]["value"])
    single = (run / "features.html").read_text(encoding="utf-8")
    assert single.startswith("<!doctype html>") and best in single
    assert f"features of {best}, in one file: {(run / 'features.html').as_uri()}" in said
    assert f"`monosema dash {run}`, then http://127.0.0.1:8631/" in said
    assert "random direction" in said and "attr_total_correlation" in said and (run / "report.html").as_uri() in said
    assert said.endswith(f"next: monosema dash {run}\n")

    before = {path: path.stat().st_mtime_ns for path in (run / "features").rglob("*.parquet")}
    served = []
    from monosema.dashboard import server

    real = server.listen
    monkeypatch.setattr(server, "listen", lambda host, _: real(host, 0))
    monkeypatch.setattr(server, "serve", lambda library, *_: served.append(library.names()))
    assert main([*tiny, "--dash"]) == 0
    assert served == [[("demo", name) for name in sorted(stages.TABLED)]]
    assert "open http://127.0.0.1:" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (run / "features").rglob("*.parquet")} == before


def test_staying_and_json_exclude_each_other(tiny, tmp_path, refused):
    assert "--dash and --json exclude each other" in refused(*tiny, "--dash", "--json")
    assert not (tmp_path / "demo").exists()
