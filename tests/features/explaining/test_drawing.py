"""What is drawn for a feature: from the right documents, in the right number, without a twin beside its twin."""

import torch

from monosema.features.explaining.config import ExplainConfig
from monosema.features.explaining.drawing import draw, why_too_few, windows_of
from monosema.features.explaining.windows import Windows

from .texts import acts_where, text

CONFIG = ExplainConfig(n_windows=12, n_examples=9)
TEXT = text()
WINDOWS = Windows.of(TEXT, 0)
ON_SEVEN = acts_where(TEXT.tokens == 7, torch.arange(TEXT.tokens.numel()).view_as(TEXT.tokens))
DRAWN = draw(3, ON_SEVEN, WINDOWS, CONFIG)


def holds_seven(window: int) -> bool:
    places, _ = WINDOWS.places(torch.tensor([window]))
    return 7 in WINDOWS.tokens(places).tolist()


def test_what_explains_never_judges():
    explaining = [*DRAWN.examples.tolist(), *DRAWN.fitting.windows.tolist(), *DRAWN.fitting_marks.windows.tolist()]
    judging = [*DRAWN.judging.windows.tolist(), *DRAWN.marks.windows.tolist()]
    judging += [w for odd in DRAWN.odd for w in odd.windows.tolist()]
    assert not WINDOWS.judging[explaining].any() and WINDOWS.judging[judging].all()


def test_windows_are_as_many_as_asked_for_of_each_kind_and_stand_for_all():
    for shown, judging in ((DRAWN.fitting, False), (DRAWN.judging, True)):
        assert len(shown) == 24 and int(shown.fires.sum()) == 12 and len(shown.windows.unique()) == 24
        assert [holds_seven(w) for w in shown.windows.tolist()] == shown.fires.tolist()
        assert 0 < int(shown.fires[:12].sum()) < 12  # in no order that tells them
        fires = windows_of(ON_SEVEN, WINDOWS)
        its = fires[WINDOWS.judging == judging]
        assert float(shown.stands_for[shown.fires].sum()) == int(its.sum())
        assert float(shown.stands_for.sum()) == len(its)


def test_examples_are_the_strongest_of_each_document_and_any_others():
    # Activations grow with the place: the strongest are in the last documents.
    explaining = WINDOWS.documents[~WINDOWS.judging].unique().tolist()
    assert WINDOWS.documents[DRAWN.examples[:5]].tolist() == explaining[:-6:-1]
    assert len(DRAWN.examples.unique()) == 9 and all(map(holds_seven, DRAWN.examples.tolist()))
    last = max(
        int(p) for p in ON_SEVEN.places if WINDOWS.number_of[p] >= 0 and not WINDOWS.judging[WINDOWS.number_of[p]]
    )
    assert DRAWN.largest == last


def test_marks_are_right_and_wrong_of_every_window_never_in_one_half():
    marks = DRAWN.marks
    assert len(marks) == 24 and int(marks.right.sum()) == 12
    for window, places, right in zip(marks.windows.tolist(), marks.places, marks.right.tolist(), strict=True):
        own, _ = WINDOWS.places(torch.tensor([window]))
        tokens = WINDOWS.tokens(places)
        assert set(places.tolist()) <= set(own.tolist())
        assert len(places) == int((WINDOWS.tokens(own) == 7).sum()) > 0
        assert bool((tokens == 7).all()) if right else not bool((tokens == 7).any())
    for half in (marks.windows[:12], marks.windows[12:]):
        assert len(half.unique()) == 12


def test_a_window_that_fires_on_most_tokens_has_no_wrong_marks():
    dense = draw(0, acts_where((TEXT.tokens > 3) & (TEXT.documents % 2 == 0)), WINDOWS, CONFIG)
    assert len(dense.marks) == 0 and len(dense.judging) == 24


def test_the_odd_one_is_the_one_that_is_silent():
    assert len(DRAWN.odd) == 3  # twelve windows that fire, four a question
    used = [w for odd in DRAWN.odd for w in odd.windows.tolist()]
    assert len(set(used)) == 15
    for odd in DRAWN.odd:
        assert [i for i, w in enumerate(odd.windows.tolist()) if not holds_seven(w)] == [odd.at]


def test_a_draw_depends_on_the_seed_and_on_nothing_else():
    again, other = (draw(3, ON_SEVEN, WINDOWS, ExplainConfig(n_windows=12, n_examples=9, seed=s)) for s in (0, 1))
    assert again.judging.windows.tolist() == DRAWN.judging.windows.tolist() != other.judging.windows.tolist()
    assert [p.tolist() for p in again.marks.places] == [p.tolist() for p in DRAWN.marks.places]


def test_why_a_feature_is_left_out():
    places = TEXT.documents
    judge = int(WINDOWS.documents[WINDOWS.judging][0])
    once = windows_of(acts_where((places == judge) & (TEXT.tokens > 0)), WINDOWS)
    always = windows_of(acts_where(TEXT.tokens > 0), WINDOWS)
    assert why_too_few(once, WINDOWS, 5) == "it fires in 0 windows to explain from, 5 are needed"
    assert why_too_few(always, WINDOWS, 5) == "it is silent in 0 windows to explain from, 5 are needed"
    assert why_too_few(windows_of(ON_SEVEN, WINDOWS), WINDOWS, 5) == ""
