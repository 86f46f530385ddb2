"""Scorecards on disk and in tables."""

import json
import math
import subprocess
import sys

import pytest
import torch

from monosema.core.errors import DamagedError
from monosema.core.runs import read_json, write_json
from monosema.evaluation import Control, Scorecard, ScoreConfig, frontier, score


@pytest.fixture
def card(toy):
    dictionaries = {"full": toy.identity(), "none": toy.constant(torch.zeros(2)), "alone": toy.identity()}
    control = Control({name: dictionaries[name] for name in ("full", "none")}, toy.alternating(), "the same again")
    return score(dictionaries, toy.alternating(), toy.held_out("aAaAaA", "bBbBbB"), control, ScoreConfig())


def test_json_and_back_is_the_same(card, tmp_path):
    write_json(tmp_path / "scorecard.json", card.to_json())
    again = Scorecard.from_json(read_json(tmp_path / "scorecard.json"))
    assert again.to_json() == card.to_json()
    # What is undefined (the cosines of one feature) is not equal to itself; all else is.
    assert (again.findings["full"], again.histograms, again.metrics) == (
        card.findings["full"],
        card.histograms,
        card.metrics,
    )


def test_a_number_that_is_undefined_stays_so(toy):
    # One document has no interval; a skipped control is something else and stays None.
    card = score({"d": toy.identity()}, toy.alternating(), toy.held_out("aAaAaA"), None, ScoreConfig())
    text = json.dumps(card.to_json(), allow_nan=False)
    mse = Scorecard.from_json(json.loads(text)).findings["d"]["mse"]
    assert math.isnan(mse.low) and math.isnan(mse.high)
    assert (mse.value, mse.control) == (0.0, None)


@pytest.mark.parametrize("damage", [{"findings": None}, {"n_tokens": None}, {"extra": 1}])
def test_an_edited_file_is_named(card, damage):
    data = card.to_json() | damage
    data = {key: value for key, value in data.items() if value is not None}
    with pytest.raises(DamagedError, match=f"Scorecard: missing or unknown {next(iter(damage))}"):
        Scorecard.from_json(data)


def test_rows_are_every_finding_once(card):
    rows = card.rows()
    assert len(rows) == len(card.findings) * len(card.metrics)
    row = next(row for row in rows if (row.dictionary, row.metric) == ("full", "variance_explained"))
    assert (row.finding.value, row.info.better, row.architecture) == (1.0, "higher", "relu")
    assert "mean(x)" in row.info.formula


def test_the_frontier_runs_from_sparse_to_dense(card):
    points = frontier(card)
    assert [(point.dictionary, point.l0.value) for point in points] == [("none", 0.0), ("alone", 1.0), ("full", 1.0)]
    assert points[2].loss_recovered_zero.control == 1.0
    assert points[0].variance_explained.value < 0


def test_histograms_count_every_feature(card):
    histogram = card.histograms["full"]
    # Of four features two fire on half of the tokens: log10 is -0.301.
    assert sum(histogram.counts) + histogram.dead == 4
    assert [edge for edge, count in zip(histogram.edges, histogram.counts, strict=False) if count] == [-0.5]
    assert (histogram.control, histogram.control_dead) == (histogram.counts, 2)


def test_a_page_reads_a_scorecard_without_numerics():
    code = (
        "import sys; from monosema.evaluation import Scorecard, frontier, PruneStudy; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
