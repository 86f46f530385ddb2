"""Explanations on the page of a feature and in the list: beside the floor and the control, failures as failures."""

import gzip
import json
from pathlib import Path

import pytest
from features.browse.test_explained import explained

from monosema.dashboard.exports.neuronpedia import write_neuronpedia
from monosema.dashboard.exports.selection import select
from monosema.features.browse import Query, open_table

from .html import read
from .served import client, make


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory):
    run = make(tmp_path_factory.mktemp("explained") / "demo")
    explained(run / "features" / "l1")
    return client(run)


def words(asked, url: str) -> str:
    answer = asked.get(url)
    assert answer.status_code == 200
    return " ".join(read(answer.text.removeprefix("<!doctype html>")).words().split())


def test_each_explanation_stands_with_its_scores_beside_floor_and_control(asked):
    text = words(asked, "/r/demo/l1/feature/1")
    at = [text.index(part) for part in ("Opening PARENTHESES", "n-grams of 1", "windows of 1")]
    assert at == sorted(at)
    assert "detection0.90 0.50 .. 0.90+0.30 +0.10 .. +0.30 beats the floor0.500.61" in text
    assert "beats the floor" not in words(asked, "/r/demo/l1/feature/2")


def test_a_failure_is_said_and_is_no_number(asked):
    text = words(asked, "/r/demo/l1/feature/4")
    assert "Failed: status 500, 6 times" in text and "detectionfailed" in text


def test_a_feature_that_was_not_explained_has_no_such_section(asked):
    assert "Explanations" not in words(asked, "/r/demo/l1/feature/3")


def test_the_list_filters_by_what_beats_the_floor(asked):
    text = words(asked, "/r/demo/l1/features?beats_floor_low.min=0.001&sort=-beats_floor")
    assert "Opening PARENTHESES" in text and "+0.30" in text and "commas" not in text
    page = asked.get("/r/demo/l1/features").text
    assert "beats_floor_low.min=0.001" in page and "beats the floor" in page


def test_the_twin_has_them_too(asked):
    found = asked.get("/r/demo/l1/feature/1.json").json()
    first = found["explanations"][0]
    assert (first["explainer"], first["text"], first["failed"]) == ("llm", "Opening PARENTHESES", "")
    assert first["scores"][0]["value"] == 0.9 and first["scores"][0]["control"] == 0.61


def test_neuronpedia_gets_what_language_models_said(tmp_path: Path):
    run = make(tmp_path / "demo")
    explained(run / "features" / "l1")
    table = open_table(run / "features" / "l1")
    folder = write_neuronpedia(tmp_path, select(table, Query(), {}))
    written = gzip.decompress((folder / "explanations" / "batch-0.jsonl.gz").read_bytes()).splitlines()
    said = [(row["index"], row["description"]) for row in map(json.loads, written) if row["typeName"] == "monosema"]
    assert ("1", "Opening PARENTHESES") in said and "4" not in dict(said)
    assert not [words for _, words in said if words.startswith("windows of")]


def test_explanations_that_appear_are_seen(tmp_path: Path):
    run = make(tmp_path / "demo")
    server = client(run)
    assert "Explanations" not in server.get("/r/demo/l1/feature/1").text
    explained(run / "features" / "l1")
    assert "Opening PARENTHESES" in server.get("/r/demo/l1/feature/1").text
