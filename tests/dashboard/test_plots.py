"""Marks, labels and bars are where their numbers are."""

import math
from dataclasses import replace

from monosema.dashboard import ReportData
from monosema.dashboard.plots import Frame, Mark, clamped, place_labels
from monosema.dashboard.scales import Scale
from monosema.dashboard.sections import frequencies, frontier, prune

from .examples import prune_study, run, scorecard

FRAME = Frame(300, 200, 0, 300, 0, 200, (), (), "", "")


def test_labels_of_near_marks_do_not_cover_each_other():
    marks = [(Mark(150 + 2 * i, 100 + 2 * i, "trained", ""), f"label{i}") for i in range(4)]
    labels = place_labels(FRAME, marks)
    places = {(label.anchor, label.x > 155, label.y) for label in labels}
    assert len(places) == 4


def test_a_label_at_the_edge_turns_inwards():
    (label,) = place_labels(FRAME, [(Mark(296, 100, "trained", ""), "a long label")])
    assert label.anchor == "end"


def test_what_is_beyond_the_scale_stands_at_its_edge():
    scale = Scale(0, 1, 200, 0)
    assert clamped(scale, 0.5) == (100, "")
    assert clamped(scale, -40) == (200, "down")
    assert clamped(scale, 7) == (0, "up")


def test_the_frontier_draws_each_dictionary_and_its_control():
    view = frontier.view(run())
    assert view is not None
    plots = dict(view.panels)
    explained = plots["Variance explained"]
    trained = [m for m in explained.marks if m.kind == "trained"]
    controls = [m for m in explained.marks if m.kind == "control"]
    assert (len(trained), len(controls), len(explained.lines)) == (2, 2, 2)
    assert trained[0].x < trained[1].x and trained[0].y < trained[1].y  # L0 12.5 < 32.5; 0.91 is above 0.81
    assert [m.beyond for m in controls] == ["", ""]
    assert "0.91 (control 0.52" in trained[0].says
    # A control at -41.5 does not flatten the rest: it stands at the edge and says its number.
    zero = plots["Loss recovered, against zero"]
    assert [m.beyond for m in zero.marks if m.kind == "control"] == ["down", "down"]
    assert all("-41.5 (off the scale)" in m.says for m in zero.marks if m.kind == "control")


def test_a_frontier_without_controls_is_drawn_without_them():
    card = scorecard()
    bare = {
        name: {metric: replace(f, control=None, control_is="skipped by the user") for metric, f in findings.items()}
        for name, findings in card.findings.items()
    }
    view = frontier.view(ReportData("x", scorecard=replace(card, findings=bare)))
    assert view is not None and not view.has_control
    assert {m.kind for _, plot in view.panels for m in plot.marks} == {"trained"}


def test_a_value_that_is_not_a_number_is_not_drawn():
    card = scorecard()
    lost = {
        **card.findings["l1"],
        "variance_explained": replace(card.findings["l1"]["variance_explained"], value=math.nan),
    }
    view = frontier.view(ReportData("x", scorecard=replace(card, findings={**card.findings, "l1": lost})))
    assert view is not None
    assert len([m for m in dict(view.panels)["Variance explained"].marks if m.kind == "trained"]) == 1


def test_a_histogram_is_as_high_as_its_counts():
    view = frequencies.view(run())
    assert view is not None
    histogram = view[0]
    unit = histogram.bars[1].height / 3  # counts 0, 3, 6, 9...
    assert [round(bar.height / unit) for bar in histogram.bars[:4]] == [0, 3, 6, 9]
    assert histogram.bars[1].says == "0.000018% to 0.000032% of tokens: 3 features (control 15)"
    assert (histogram.dead, histogram.control_dead) == ("5 of 257", "40")
    assert histogram.outline.startswith("M") and histogram.outline.count("H") == 28


def test_the_prune_study_shows_every_point_and_marks_the_chosen_one():
    view = prune.view(ReportData("x", prune=prune_study()))
    assert view is not None and view.plot is not None
    assert sorted(m.kind for m in view.plot.marks) == ["pruned", "random", "trained", "trained"]
    assert [(row.dictionary, row.above, row.is_best) for row in view.rows] == [
        ("heavy", "", False),
        ("light", "", False),
        ("light", "10%", True),
    ]
    best = view.rows[2]
    assert best.pruned is not None and (best.pruned.value, best.pruned.control) == ("+0.0123", "\u22120.0200")
    trained = [m for m in view.plot.marks if m.kind == "trained"]
    pruned = next(m for m in view.plot.marks if m.kind == "pruned")
    assert trained[0].x < pruned.x < trained[1].x  # L0 15 < 25 < 60
