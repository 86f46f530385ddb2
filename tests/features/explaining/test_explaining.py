"""Explanations of a whole table without a language model: known answers, the control, what is written."""

import json

import pytest

from monosema.core.errors import DataError, RunError
from monosema.features.explaining.config import ExplainConfig
from monosema.features.explaining.explaining import Explaining
from monosema.features.explaining.results import Explanation, ScoreRow, read_rows, read_summary

from ..toy_tables import contents, rows

pytestmark = pytest.mark.slow
CONFIG = ExplainConfig(n_features=6, n_control=6, n_least=3)


def by_score(found):
    return {(line.explainer, line.score): line for line in found.lines}


def test_features_of_one_token_score_one_and_so_do_the_controls(table, control):
    # The toy's embedding is the same with other weights behind it: nothing tells the two apart, and it says so.
    found = Explaining(table, CONFIG, control).run()
    assert (found.n_features, found.n_control, found.left_out) == (6, 6, {})
    lines = by_score(found)
    for name in ("ngrams", "tokens"):
        for score in ("detection", "detection_auc", "fuzzing", "simulation"):
            line = lines[name, score]
            assert line.finding.value == line.finding.control == pytest.approx(1.0, abs=1e-6)
            assert line.gap == pytest.approx(0.0, abs=1e-6) and not line.tells_apart
            assert line.n_shuffled == 6 and line.shuffled < 0.8 and line.above_low > 0.05
            assert (line.finding.n, line.finding.unit, line.n_control, line.n_failed) == (6, "features", 6, 0)
            assert line.finding.control_is == "another model"
    assert lines["tfidf", "detection"].finding.value > 0.6
    assert ("tfidf", "fuzzing") not in lines and ("tfidf", "intruder") in lines


def test_what_is_written(table, control):
    before = contents(table)
    found = Explaining(table, CONFIG, control).run()
    assert {path.name for path in found.files} == {
        "explanations.json", "explanations.parquet", "explanation_scores.parquet"
    }  # fmt: skip
    after = contents(table)
    assert all(after[name] == there for name, there in before.items())
    new = {"explanations.json", "explanations.parquet", "explanation_scores.parquet"}
    assert after.keys() - before.keys() == new | {f"control/{name}" for name in new - {"explanations.json"}}
    texts = rows(table / "explanations.parquet")
    assert len(texts) == 18 and {row["explainer"] for row in texts} == {"ngrams", "tokens", "tfidf"}
    for row in texts:
        if row["explainer"] == "tokens":
            assert row["text"].startswith(f"' {3 if row['feature'] in (13, 14) else row['feature']}'")
    scores = rows(table / "explanation_scores.parquet")
    assert len(scores) == 6 * (5 + 5 + 4)
    for row in scores:
        assert (row["margin"] is None) == (
            row["explainer"] == "ngrams" or row["score"] == "intruder" or row["value"] is None
        )
        assert (row["value"] is None) == (row["state"] != "done") == bool(row["reason"])
    Explaining(table, CONFIG, control).run()
    assert contents(table) == after  # the same bytes again


def test_without_a_control_it_says_so(table):
    found = Explaining(table, CONFIG).run()
    line = by_score(found)["ngrams", "detection"]
    assert line.finding.control is None and line.finding.control_is == "skipped by the user"
    assert not line.tells_apart and found.n_control == 0
    assert not (table / "control" / "explanations.parquet").exists()


def test_rows_of_other_features_stay_and_other_settings_begin_anew(table, control):
    def features(kind):
        explaining = Explaining(table, CONFIG)
        return {row.feature for row in read_rows(kind, table, explaining.database)}

    few = ExplainConfig(features=(4, 5), n_least=3)
    Explaining(table, few, control).run()
    Explaining(table, ExplainConfig(features=(6,), n_least=3), control).run()
    assert features(Explanation) == features(ScoreRow) == {4, 5, 6}
    assert read_summary(table)["n_features"] == 3
    Explaining(table, ExplainConfig(features=(6,), n_least=3, seed=1), control).run()
    assert features(Explanation) == features(ScoreRow) == {6}


def test_a_feature_that_is_asked_for_alone_keeps_what_was_shuffled(table):
    def of_five():
        explaining = Explaining(table, CONFIG)
        return {(r.explainer, r.score): r for r in read_rows(ScoreRow, table, explaining.database) if r.feature == 5}

    Explaining(table, ExplainConfig(features=(4, 5, 6), n_least=3)).run()
    before = of_five()
    assert before["ngrams", "detection"].shuffled is not None
    Explaining(table, ExplainConfig(features=(5,), n_least=3)).run()
    assert of_five() == before


def test_what_cannot_be_explained(table):
    found = Explaining(table, ExplainConfig(features=(0, 1, 4), n_least=3)).run()
    assert found.n_features == 1
    assert found.left_out == {
        0: "it fires in 0 windows to explain from, 3 are needed",
        1: "it is silent in 0 windows to explain from, 3 are needed",
    }
    with pytest.raises(DataError, match=r"no feature has 3 windows.*feature 1, for one: it is silent in 0 windows"):
        Explaining(table, ExplainConfig(features=(1,), n_least=3))
    with pytest.raises(DataError, match="no feature 15: 'd' has features 0 to 14"):
        Explaining(table, ExplainConfig(features=(15,)))
    manifest = json.loads((table / "table.json").read_text())
    (table / "table.json").write_text(json.dumps(manifest | {"state": "building"}))
    with pytest.raises(RunError, match="is not whole"):
        Explaining(table, CONFIG)
