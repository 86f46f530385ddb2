"""Panels of an exhibit: points, gaps, cells and keys are where their numbers are."""

import math

import pytest

from monosema.dashboard.exhibits import arrows, curves, heatmaps
from monosema.dashboard.exhibits.pictures import BOTTOM, LEFT, RIGHT, TOP, WIDTH, keys, path
from monosema.dashboard.scales import Scale
from monosema.toys import ArrowFrame, Arrows, Curves, Heatmap, Line


def test_a_path_lifts_the_pen_at_a_gap_and_skips_what_falls_on_the_point_before():
    assert path([(0, 0), (1, 1), (1, 1), None, (2, 2), (3, 3)]) == "M0,0L1,1M2,2L3,3"
    assert path([None, (2, 2), (2, 2), None]) == "M2,2"


def test_a_line_goes_from_edge_to_edge_and_leaves_gaps_where_there_is_no_number():
    line = Line("own", (0, 1, 2, 3), (1.0, math.nan, 3.0, 2.0))
    drawn = curves.picture(Curves("t", "s", "x", "y", (line,)))
    x = Scale(0, 3, LEFT, RIGHT)
    assert [spot.x for spot in drawn.spots] == [x.at(0), x.at(2), x.at(3)]
    assert drawn.strokes[0].d.count("M") == 2
    ys = [spot.y for spot in drawn.spots]
    assert TOP <= ys[1] < ys[2] < ys[0] <= BOTTOM  # 3 is above 2 is above 1


def test_a_logarithmic_axis_leaves_out_what_is_not_above_zero():
    line = Line("own", (1, 10, 100), (1.0, 0.0, 1e-4))
    drawn = curves.picture(Curves("t", "s", "x", "y", (line,), log_x=True, log_y=True))
    assert len(drawn.spots) == 2 and drawn.strokes[0].d.count("M") == 2
    steps = curves.scales((line,), True, True)[0]
    assert steps.at(10) - steps.at(1) == pytest.approx(steps.at(100) - steps.at(10), abs=0.2)


def test_a_line_without_any_number_is_drawn_as_nothing():
    drawn = curves.picture(Curves("t", "s", "x", "y", (Line("own", (0, 1), (math.nan, math.nan)),)))
    assert (drawn.strokes[0].d, drawn.spots) == ("", ())


def test_a_band_holds_its_line_and_closes_at_gaps():
    line = Line("own", (0, 1, 2), (1.0, math.nan, 1.0), low=(0.5, math.nan, 0.5), high=(2.0, math.nan, 1.5))
    (band,) = curves.picture(Curves("t", "s", "x", "y", (line,))).areas
    assert band.d.count("Z") == 2 and band.kind == "band measured c0"


def test_many_points_get_few_spots_with_both_ends():
    line = Line("own", tuple(range(1000)), tuple(float(i) for i in range(1000)))
    spots = curves.picture(Curves("t", "s", "x", "y", (line,))).spots
    assert len(spots) == curves.N_SPOTS and (spots[0].x, spots[-1].x) == (LEFT, RIGHT)


def test_lines_differ_by_more_than_colour():
    lines = tuple(Line(f"l{i}", (0, 1), (0.0, 1.0)) for i in range(8))
    shapes = [shape for _, shape in curves.kinds(lines)]
    assert len(set(shapes)) == 8
    theory = tuple(Line(f"l{i}", (0, 1), (0.0, 1.0), role="theory") for i in range(3))
    assert len({kind for kind, _ in curves.kinds(theory)}) == 3


def test_keys_wrap_within_the_picture():
    placed, height = keys([("measured c0", "", f"a rather long name {i}", False) for i in range(9)])
    assert all(key.x + 28 + 6.3 * len(key.text) <= WIDTH for key in placed)
    assert len({(key.x, key.y) for key in placed}) == 9 and max(key.y for key in placed) < height


def test_cells_fill_the_box_from_the_lower_left():
    # Three columns, two rows: the first row of cells is that of the smallest y, at the bottom.
    panel = Heatmap("t", "s", "x", "y", (1, 10, 100), (0.0, 1.0), ((0.0, 0.5, 1.0), (1.0, math.nan, 0.0)), log_x=True)
    cells = heatmaps.picture(panel).cells
    assert len(cells) == 5
    assert (cells[0].x, cells[0].y + cells[0].height) == (LEFT, BOTTOM)
    assert cells[2].x + cells[2].width == pytest.approx(RIGHT, abs=0.02)
    assert cells[3].y == pytest.approx(TOP, abs=0.02)
    assert [cell.kind for cell in cells] == ["cell q0", "cell q6", "cell q11", "cell q11", "cell q0"]


def test_theory_lies_where_the_cells_of_its_numbers_are():
    line = Line("x = y", (0, 1, 2, 9), (0, 1, 2, 9), role="theory")
    panel = Heatmap("t", "s", "x", "y", (0, 1, 2), (0, 1, 2), ((0, 0, 0),) * 3, classes=("a",), lines=(line,))
    drawn = heatmaps.picture(panel)
    first = drawn.cells[0]
    middle = f"M{first.x + first.width / 2:.1f},{first.y + first.height / 2:g}"
    # The last point lies beyond the box, and is left out.
    assert [stroke.d.count("L") for stroke in drawn.strokes] == [2, 2]
    assert drawn.strokes[1].d.startswith(middle)


def test_only_classes_that_occur_have_a_key():
    panel = Heatmap("t", "s", "x", "y", (0,), (0, 1), ((0,), (2,)), classes=("a", "b", "c"))
    assert [key.text for key in heatmaps.picture(panel).keys] == ["a", "c"]


def test_all_frames_share_one_scale():
    frames = (ArrowFrame("0", ((1.0, 0.0),)), ArrowFrame("1", ((2.0, 0.0),)))
    moments = arrows.picture(Arrows("t", "s", frames)).moments
    zero = arrows.SIZE / 2
    assert [m.spots[0].x - zero for m in moments] == [78, 156] and all(m.spots[0].y == zero for m in moments)


def test_three_dimensions_keep_angles_apart_and_what_is_behind_says_so():
    octahedron = tuple(tuple(sign * (i == k) for i in range(3)) for k in range(3) for sign in (1, -1))
    (moment,) = arrows.picture(Arrows("t", "s", (ArrowFrame("end", octahedron),))).moments
    assert len({(spot.x, spot.y) for spot in moment.spots}) == 6
    assert sum("behind" in spot.kind for spot in moment.spots) == 3
