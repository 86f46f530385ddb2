"""Explanations in an open table: the columns of every feature, one feature's, and what is not shown."""

import json
import math
from pathlib import Path

import duckdb
import pytest

from monosema.core.errors import DamagedError
from monosema.core.findings import Finding
from monosema.features.browse import Query, Range, open_table
from monosema.features.explaining.results import Explanation, Line, ScoreRow, write_rows, write_summary
from monosema.features.tables.database import Database


def row(
    feature: int, explainer: str, value: float | None, low: float | None = None, score: str = "detection"
) -> ScoreRow:
    margin = None if value is None or explainer == "ngrams" else value - 0.6
    state = ("failed", "status 500, 6 times") if value is None else ("done", "")
    ends = (None, None) if value is None else (0.5, 0.9)
    return ScoreRow(feature, explainer, score, value, *ends, 40, 0.5, margin, low, margin, *state)


def line(explainer: str, score: str, control: float | None) -> Line:
    nothing = (math.nan,) * 2
    finding = Finding(f"{explainer}_{score}", 0.8, control, "weights redrawn", 0.7, 0.9, 3, "features")
    return Line(explainer, score, finding, *nothing, 3, 0.1, *nothing, 0.5, 0.3, *nothing, 3, 0)


def explained(folder: Path, shown: str = "llm", **changes: str) -> Path:
    """Explanations of features 1 (beats the floor), 2 (does not), 4 (failed)."""
    with Database(256, folder / ".spill") as database:
        texts = [Explanation(f, "ngrams", f"n-grams of {f}", "done") for f in (1, 2, 4)]
        texts += [Explanation(f, "tfidf", f"windows of {f}", "done") for f in (1, 2, 4)]
        texts += [Explanation(1, "llm", "Opening PARENTHESES", "done"), Explanation(2, "llm", "commas", "done")]
        texts += [Explanation(4, "llm", "", "failed", "status 500, 6 times")]
        write_rows(texts, Explanation, folder, database)
        scores = [row(f, "ngrams", 0.6) for f in (1, 2, 4)] + [row(f, "tfidf", 0.55, -0.2) for f in (1, 2, 4)]
        scores += [row(1, "llm", 0.9, 0.1), row(2, "llm", 0.65, -0.1), row(4, "llm", None)]
        scores += [row(1, "llm", 0.7, score="fuzzing")]
        write_rows(scores, ScoreRow, folder, database)
    manifest = json.loads((folder / "table.json").read_text())
    about = {k: manifest[k] for k in ("dictionary_fingerprint", "model_fingerprint", "corpus_fingerprint")} | changes
    write_summary(folder, about, {"shown": shown}, [line("llm", "detection", 0.61), line("llm", "fuzzing", None)])
    return folder


def test_the_columns_are_of_the_explainer_that_is_shown(copied: Path):
    table = open_table(explained(copied))
    first, second, third, failed = (table.row(f) for f in (1, 2, 3, 4))
    assert (first.floor_detection, first.explained, first.explanation) == (0.6, 0.9, "Opening PARENTHESES")
    assert first.beats_floor == pytest.approx(0.3) and first.beats_floor_low == 0.1
    assert second.beats_floor_low == -0.1
    assert (third.floor_detection, third.explained, third.explanation) == (None, None, "")
    assert (failed.floor_detection, failed.explained, failed.beats_floor, failed.explanation) == (0.6, None, None, "")
    assert table.matching(Query(ranges=(Range("beats_floor_low", low=0.001),))) == [1]
    assert table.matching(Query(sort="explained"))[:2] == [1, 2]
    assert table.matching(Query(text="parentheses")) == [1]
    assert len(table.page(Query(size=200)).rows) == table.manifest.n_features


def test_without_a_language_model_the_columns_are_of_the_words(copied: Path):
    found = open_table(explained(copied, shown="tfidf")).row(1)
    assert (found.explained, found.beats_floor_low, found.explanation) == (0.55, -0.2, "")


def test_one_feature_has_the_shown_one_then_the_floor_then_the_others(copied: Path):
    table = open_table(explained(copied))
    its = table.explanations(1)
    assert [one.explainer for one in its] == ["llm", "ngrams", "tfidf"]
    assert {score.name: (score.value, score.control) for score in its[0].scores} == {
        "detection": (0.9, 0.61),
        "fuzzing": (0.7, None),
    }
    (failed, *_) = table.explanations(4)
    assert (failed.text, failed.failed) == ("", "status 500, 6 times")
    assert (failed.scores[0].value, failed.scores[0].state) == (None, "failed")
    assert table.explanations(3) == ()


@pytest.mark.parametrize("of", ["dictionary_fingerprint", "model_fingerprint", "corpus_fingerprint"])
def test_explanations_of_another_table_are_not_shown(copied: Path, of: str):
    table = open_table(explained(copied, **{of: "another"}))
    assert table.explained is None and table.explanations(1) == () and table.row(1).floor_detection is None


def test_a_table_without_explanations_has_the_columns_empty(copied: Path):
    table = open_table(copied)
    assert table.row(1).explained is None and table.explanations(1) == ()
    assert table.matching(Query(ranges=(Range("explained", low=0.0),))) == []


def test_a_damaged_file_is_named(copied: Path):
    explained(copied)
    (copied / "explanations.json").write_text('{"format": 1}')
    with pytest.raises(DamagedError, match=r"explanations.json is not what was written.*monosema explain"):
        open_table(copied)
    explained(copied)
    duckdb.sql("SELECT 1 AS feature").write_parquet(str(copied / "explanation_scores.parquet"))
    with pytest.raises(DamagedError, match=r"explanation_scores.parquet"):
        open_table(copied)
