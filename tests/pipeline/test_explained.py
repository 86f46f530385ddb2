"""Explanations in a check: their margin over the floor, and why there is none."""

import math
from pathlib import Path

import pytest

from monosema.core.runs import open_run, write_json
from monosema.evaluation.claims import judge_all
from monosema.features.explaining.results import ScoreRow, write_rows
from monosema.features.tables.database import Database
from monosema.pipeline.explained import explanation_measures, of_folder


def rows(explainer: str, values: list[float | None], floor: float) -> list[ScoreRow]:
    return [
        ScoreRow(
            i, explainer, "detection", v, v, v, 50, None,
            None if v is None else v - floor, None, None, "failed" if v is None else "done",
        )
        for i, v in enumerate(values)
    ]  # fmt: skip


def table(folder: Path, *scores: list[ScoreRow]) -> Path:
    folder.mkdir(parents=True)
    with Database(256, folder / "spill") as database:
        write_rows([row for some in scores for row in some], ScoreRow, folder, database)
    return folder


def verdict(measures) -> str:
    return next(found for found in judge_all("d", measures) if found.claim == "explanations").outcome


@pytest.mark.parametrize(("floor", "outcome"), [(0.6, "supported"), (0.8, "not supported"), (0.95, "not supported")])
def test_explanations_must_beat_the_floor_on_the_same_windows(tmp_path, floor, outcome):
    values = [0.7, 0.75, 0.8, 0.85, 0.9, None]
    folder = table(tmp_path / "t", rows("ngrams", [floor] * 6, floor), rows("a-model", values, floor))
    (found,) = of_folder(folder, tmp_path / "spill", 0)
    contrast = found.beside("floor")
    assert found.value == pytest.approx(0.8) and found.n == 5  # a failed one counts as nothing, not as zero
    assert contrast is not None and contrast.value == pytest.approx(floor)
    assert contrast.difference == pytest.approx(0.8 - floor)
    assert verdict([found]) == outcome


def test_without_explanations_it_says_what_to_do(tmp_path):
    folder = table(tmp_path / "t", rows("ngrams", [0.6, 0.7], 0.6))
    (found,) = of_folder(folder, tmp_path / "spill", 0)
    assert math.isnan(found.value) and "--base-url" in found.missing[0].why
    assert verdict([found]) == "not measured"


def test_explanations_of_another_dictionary_do_not_count(tmp_path):
    run = open_run(tmp_path / "run", create=True)
    (found,) = explanation_measures(run, "d", "f1", 0)
    assert "it has no feature table" in found.missing[0].why
    folder = table(run.path / "features" / "d", rows("a-model", [0.9, 0.8, 0.95], 0.5))
    write_json(folder / "table.json", {"dictionary_fingerprint": "f1"})
    assert verdict(explanation_measures(run, "d", "f1", 0)) == "supported"
    (stranger,) = explanation_measures(run, "d", "f2", 0)
    assert "of another dictionary" in stranger.missing[0].why
