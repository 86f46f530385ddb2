"""`monosema features` on a whole tiny run: what it writes, shows and refuses."""

import json

import duckdb
import pytest

from monosema.cli import main
from monosema.core.runs import read_json

pytestmark = pytest.mark.slow
FEW = ["--n-top", "4", "--n-calibration", "4", "--n-contexts", "4", "--n-examples", "2", "--max-tokens", "2000"]


def test_it_makes_a_table_of_every_dictionary_and_shows_the_first(copied, capsys):
    assert main(["features", str(copied), *FEW]) == 0
    text = capsys.readouterr().out
    assert "topk: 32 features" in text and "random direction" in text and "attr_total_correlation" in text
    assert text.endswith(f"next: monosema dash {copied}\n")
    for name in ("topk", "l1", "heavy"):
        manifest = read_json(copied / "features" / name / "table.json")
        assert (manifest["state"], manifest["dictionary"], manifest["n_features"]) == ("done", name, 32)
        assert (copied / "features" / name / "control" / "features.parquet").exists()
        assert all(finding["control"] is not None for finding in manifest["findings"])
    documents = duckdb.sql(f"SELECT name FROM '{copied}/features/topk/documents.parquet'").fetchall()
    assert len(documents) == len(set(documents)) > 6  # of the held-out part, and of the train part after it
    stage = read_json(copied / "provenance.json")["tables"]
    assert stage["finished"] and stage["inputs"]["model"] == manifest["model_fingerprint"]


def test_names_json_and_no_repetition(copied, capsys):
    words = ["features", str(copied), "--names", "l1", *FEW, "--json"]
    assert main(words) == 0
    shown = json.loads(capsys.readouterr().out)
    assert list(shown["result"]) == ["l1"] and shown["wrote"] == [str(copied / "features" / "l1")]
    best = shown["result"]["l1"]["most_important"]
    assert [row["importance_total"] for row in best] == sorted((row["importance_total"] for row in best), reverse=True)
    assert not (copied / "features" / "topk").exists()
    before = (copied / "features" / "l1" / "acts.parquet").stat().st_mtime_ns
    assert main(words) == 0
    assert (copied / "features" / "l1" / "acts.parquet").stat().st_mtime_ns == before


def test_a_dictionary_that_is_not_there(copied, refused):
    assert "unknown dictionary 'top'. Did you mean 'topk'?" in refused("features", str(copied), "--names", "top")
    assert "max_tokens is 0" in refused("features", str(copied), "--max-tokens", "0")
    assert not (copied / "features").exists()
