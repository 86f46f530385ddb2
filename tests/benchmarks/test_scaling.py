"""What is left out of a scaling run is left out for a reason, and said; and its plot."""

from xml.etree import ElementTree

from benchmarks.plot import Panel, svg
from benchmarks.race import Record
from benchmarks.scaling import ScalingConfig, panels, powers, too_much, training_rows


def test_powers_of_two_up_to_the_largest():
    assert list(powers(1024, 131_072)) == [2**i for i in range(10, 18)]
    assert list(powers(1000, 3999)) == [1000, 2000]


def test_a_point_is_left_out_when_twice_the_half_is_too_much():
    # 3 + 3 x 2 = 9 steps of 4,096 rows at 1,000 a second: 36.9 s, so 73.7 s for twice the features.
    half = Record([1000.0, 1000.0, 1000.0], 10.0, {})
    assert too_much(half, ScalingConfig(seconds=74)) == ""
    assert too_much(half, ScalingConfig(seconds=73)) == "it would take 74 s, and 73 are allowed (--seconds)"
    assert "MB are free" not in too_much(half, ScalingConfig())
    assert "it would take 200,000,000 MB, and" in too_much(Record([1e9], 1e8, {}), ScalingConfig())
    assert too_much(None, ScalingConfig(seconds=0)) == ""


def test_a_point_without_its_reference_has_no_ratio():
    points = {
        ("dense", 64): Record([1.0, 2.0, 4.0], 5.0, {}),
        ("topk", 64): Record([3.0, 8.0, 16.0], 5.0, {}),
        ("topk", 128): Record([1.0, 1.0, 1.0], None, {}),
    }
    rows = {row.name: row for row in training_rows(points)}
    assert rows["topk/64"].ratio_to_dense == 4.0
    assert rows["topk/128"].ratio_to_dense is None
    assert [panel.title for panel in panels(list(rows.values()), {}, ScalingConfig())] == [
        "tokens per second",
        "peak MB",
    ]


def test_straight_lines_are_drawn_straight():
    panel = Panel("a < b", "x", False, {"line": [(0.0, 0.0), (1.0, 2.0), (2.0, 4.0)], "other": [(0.0, 4.0)]})
    picture = ElementTree.fromstring(svg([panel, panel]))
    lines = [element.get("points", "") for element in picture.iter("{http://www.w3.org/2000/svg}polyline")]
    (x0, y0), (x1, y1), (x2, y2) = ([float(v) for v in pair.split(",")] for pair in lines[0].split())
    assert abs(x2 - 2 * x1 + x0) < 0.11
    assert abs(y2 - 2 * y1 + y0) < 0.11
    assert y2 < y0
    assert len(lines) == 4
    assert svg([panel]) == svg([panel])
