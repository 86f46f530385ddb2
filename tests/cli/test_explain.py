"""`monosema explain` on a whole tiny run: what it writes, shows, asks and refuses."""

import json
import shutil
from pathlib import Path

import duckdb
import pytest
from features.explaining.scripted import understands
from features.explaining.server import Wrong, in_turn, serving

from monosema.cli import main
from monosema.core.runs import read_json

pytestmark = pytest.mark.slow
TABLE = ["--n-top", "2", "--n-calibration", "2", "--n-contexts", "2", "--n-examples", "2", "--max-tokens", "6000"]
FEW = ["--names", "topk", "--n-features", "3", "--n-control", "3", "--n-windows", "10", "--n-least", "2"]


@pytest.fixture(scope="module")
def tabled(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a feature table of its dictionary topk. To be read only."""
    run = Path(shutil.copytree(whole, tmp_path_factory.mktemp("tabled") / "run"))
    assert main(["features", str(run), "--names", "topk", *TABLE]) == 0
    return run


@pytest.fixture
def run(tabled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tabled, tmp_path / "explained"))


def scores(run: Path, explainer: str) -> list[tuple]:
    path = run / "features" / "topk" / "explanation_scores.parquet"
    return duckdb.sql(f"SELECT score, value, state, reason FROM '{path}' WHERE explainer = '{explainer}'").fetchall()


def test_without_a_language_model(run, capsys):
    assert main(["explain", str(run), *FEW]) == 0
    text = capsys.readouterr().out
    assert "topk: 3 features explained, 3 of the control's" in text and "shuffled" in text
    assert "higher than on the control, beyond chance: " in text
    assert text.endswith(f"next: monosema dash {run}\n")
    assert len(scores(run, "ngrams")) == 15 and len(scores(run, "tfidf")) == 12
    stage = read_json(run / "provenance.json")["explain"]
    assert stage["finished"] and "features/topk" in stage["inputs"]
    assert not (run / "answers.jsonl").exists()


def test_json_has_every_line_with_its_control(run, capsys):
    assert main(["explain", str(run), *FEW, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["wrote"] == [str(run / "features" / "topk" / "explanations.json")]
    lines = shown["result"]["topk"]["lines"]
    assert {line["explainer"] for line in lines} == {"ngrams", "tokens", "tfidf"}
    assert all(line["finding"]["control_is"] for line in lines)


def test_an_endpoint_is_asked_what_was_estimated(run, capsys, monkeypatch):
    monkeypatch.setenv("MONOSEMA_API_KEY", "sk-very-secret")
    with serving(understands) as server:
        by = ["--base-url", server.url, "--model", "llm", "--asked-control", "2", "--price-in", "1", "--price-out", "2"]
        assert main(["explain", str(run), *FEW, *by, "--dry-run", "--json"]) == 0
        estimate = json.loads(capsys.readouterr().out)["result"]["estimate"]
        assert not server.bodies and estimate["price"] > 0
        assert main(["explain", str(run), *FEW, *by, "--yes", "--json"]) == 0
        out, err = capsys.readouterr()
        found = json.loads(out)["result"]["topk"]
        calls = estimate["total"]["calls"]
        assert calls == found["asked"]["calls"] == len(server.bodies)
        assert f"together {calls:,} calls, about" in err and "at the prices given" in err
        assert main(["explain", str(run), *FEW, *by, "--yes"]) == 0
        assert len(server.bodies) == calls and f"{calls:,} answers are there already" in capsys.readouterr().err
    assert {state for _, _, state, _ in scores(run, "llm")} <= {"done", "undefined"}
    assert not any(b"very-secret" in path.read_bytes() for path in run.rglob("*") if path.is_file())


def test_what_failed_is_said(run, capsys):
    with serving(in_turn("I had rather not.")) as server:
        by = ["--base-url", server.url, "--model", "llm", "--asked-control", "0", "--yes"]
        assert main(["explain", str(run), *FEW, *by, "--score", "detection"]) == 0
    assert "3 features failed and have no score: repeat the command" in capsys.readouterr().out
    for _, value, state, reason in scores(run, "llm"):
        assert (value, state) == (None, "failed") and "3 answers could not be used" in reason


def test_what_is_refused(run, refused, monkeypatch):
    def said(*words: str) -> str:
        return refused("explain", str(run), *words)

    url = ["--base-url", "http://127.0.0.1:9/v1", "--model", "llm"]
    assert "nobody is there to agree to the cost: repeat with --yes" in said(*FEW, *url)
    assert "takes both --base-url and --model" in said("--model", "llm")
    assert "--dry-run shows the cost of an endpoint" in said("--dry-run")
    assert "unknown feature table 'topp'. Did you mean 'topk'?" in said("--names", "topp")
    assert "there is no feature 99: 'topk' has features 0 to 31" in said("--feature", "99")
    assert "n_windows is 1" in said("--n-windows", "1")
    monkeypatch.delenv("MY_KEY", raising=False)
    assert "MY_KEY is not set" in said(*url, "--key-variable", "MY_KEY")
    with serving(in_turn(Wrong(401, "who are you"))) as server:
        assert "refused the key" in said(*FEW, "--base-url", server.url, "--model", "llm", "--yes")
    assert (
        "explain" not in read_json(run / "config.json") or not read_json(run / "provenance.json")["explain"]["finished"]
    )


def test_a_run_without_tables(copied, refused):
    assert "has no feature tables: build them with `monosema features" in refused("explain", str(copied))
