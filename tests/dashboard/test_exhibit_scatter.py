"""Scatters: points are where their numbers are, classes differ by more than colour, panels share axes."""

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from monosema.core.errors import ConfigError
from monosema.core.exhibits import Exhibit, Points, Scatter, Table, as_json, on_shared_axes
from monosema.core.findings import Finding
from monosema.dashboard.exhibit_page import exhibit_page, panel_svgs, write_exhibit
from monosema.dashboard.exhibits import scatters
from monosema.dashboard.exhibits.pictures import BOTTOM, LEFT, RIGHT, TOP

from .examples import NASTY
from .html import read
from .test_exhibit_page import open_page


@dataclass(frozen=True)
class Settings:
    seed: int = 0


def scatter(*points: Points, title: str = "Before", **spans: tuple[float, float]) -> Scatter:
    return Scatter(title, f"{title} is seen.", "first", "second", points, **spans)


def shown(*panels: Scatter | Table) -> Exhibit:
    finding = Finding("share", 0.5, 0.1, "shuffled", 0.5, 0.5, 2, "tokens")
    return Exhibit("made-up", "Why?", ("So.",), panels, {"share": finding}, Settings(), "once", "geometry")


# Two points at opposite corners of the unit square, and one of another class in its middle.
CORNERS = Points("corner", (0.0, 1.0), (0.0, 1.0), labels=("low", "high"))
MIDDLE = Points("middle", (0.5,), (0.5,))


def test_points_are_where_their_numbers_are():
    low, high, middle = scatters.picture(scatter(CORNERS, MIDDLE, x_span=(0.0, 1.0), y_span=(0.0, 1.0))).spots
    assert (low.x, low.y, high.x, high.y) == (LEFT, BOTTOM, RIGHT, TOP)
    assert (middle.x, middle.y) == ((LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2)


def test_a_point_says_its_label_its_class_and_its_numbers():
    said = [spot.says for spot in scatters.picture(scatter(CORNERS, MIDDLE)).spots]
    assert said == ["low, corner: (0, 0)", "high, corner: (1.00, 1.00)", "middle: (0.500, 0.500)"]


def test_what_has_no_place_is_left_out():
    points = Points("p", (0.0, math.nan, math.inf, 5.0, 1.0), (0.0, 1.0, 1.0, 1.0, 1.0))
    assert len(scatters.picture(scatter(points)).spots) == 3
    assert len(scatters.picture(scatter(points, x_span=(0.0, 2.0))).spots) == 2
    empty = scatters.picture(scatter(Points("p", (math.nan,), (0.0,)), Points("q", (), ())))
    assert empty.spots == () and [key.text for key in empty.keys] == ["p"]


def test_classes_differ_by_shape_even_where_colours_come_again():
    looks = scatters.kinds(tuple(Points(f"c{i}", (0,), (0,)) for i in range(64)))
    assert len({shape for _, shape in looks[:8]}) == 8 and len(set(looks)) == 64
    grey = scatters.kinds((MIDDLE, replace(CORNERS, role="control"), MIDDLE))
    assert [kind for kind, _ in grey] == ["point c0", "point rest", "point c1"]


def test_panels_on_shared_axes_hold_each_other_s_points():
    near, far = scatter(MIDDLE), scatter(Points("far", (-3.0, 9.0), (2.0, 2.5)), title="After")
    one, other = on_shared_axes(near, far)
    assert one.x_span == other.x_span and one.y_span == other.y_span
    assert len(scatters.picture(one).spots) == 1 and len(scatters.picture(other).spots) == 2
    ends = [*one.x_span, *one.y_span]
    assert ends == pytest.approx([-3.48, 9.48, 0.42, 2.58])
    assert scatters.picture(one).frame.x_ticks == scatters.picture(other).frame.x_ticks
    assert on_shared_axes(scatter(Points("none", (), ())))[0].x_span == ()
    assert on_shared_axes(scatter(MIDDLE))[0].x_span == pytest.approx((0.475, 0.525))


def test_panels_on_shared_axes_begin_a_row():
    text = Table("Words", "One row.", ("what",), (("a",),))
    pair = on_shared_axes(scatter(MIDDLE), scatter(CORNERS, title="After"))
    other = on_shared_axes(scatter(MIDDLE, title="Else"))
    figures = read(exhibit_page(shown(scatter(MIDDLE, title="Alone"), *pair, *other, text, *pair))).find("figure")
    begins = [figure.has("class_", "begins") for figure in figures]
    assert begins == [False, True, False, True, False, True, False]


def test_the_page_names_the_command_and_says_each_panel():
    root = read(exhibit_page(shown(scatter(CORNERS, MIDDLE))))
    assert root.find("p", class_="kicker")[0].words() == "monosema geometry"
    assert [svg.attributes["aria-label"] for svg in root.find("figure")[0].find("svg")] == ["Before is seen."]
    marks = root.find("g", class_="mark")
    assert [mark.attributes["tabindex"] for mark in marks] == ["0", "-1", "-1"]


def test_labels_stay_text_and_the_svg_stands_alone():
    nasty = Points(NASTY[0], (0.0, 1.0), (0.0, 1.0), labels=(NASTY[1], NASTY[2]))
    page = exhibit_page(shown(scatter(nasty)))
    assert len(read(page).find("script")) == 1 and not read(page).find("img")
    svg = panel_svgs(shown(scatter(nasty, MIDDLE)))["before"]
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg" and "var(" not in svg
    assert re.search(r"\.spot\.point \{[^}]*fill-opacity", svg)


def test_json_says_its_kind_and_holds_its_points():
    (panel,) = as_json(shown(scatter(MIDDLE)))["panels"]
    assert panel["kind"] == "scatter" and panel["x_span"] == []
    assert panel["points"] == [{"name": "middle", "x": [0.5], "y": [0.5], "labels": [], "role": "measured"}]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match=r"points 'p': x and y must be equally long"):
        Points("p", (1.0,), ())
    with pytest.raises(ConfigError, match="labels"):
        Points("p", (1.0, 2.0), (1.0, 2.0), labels=("one",))
    with pytest.raises(ConfigError, match=r"scatter 'Before': x_span and y_span must go from a lower"):
        scatter(MIDDLE, x_span=(1.0, 1.0))


@pytest.mark.browser
@pytest.mark.slow
def test_arrow_keys_step_through_points_and_the_pair_is_side_by_side(browser, tmp_path: Path):
    path = tmp_path / "page.html"
    alone, pair = scatter(MIDDLE, title="Alone"), on_shared_axes(scatter(CORNERS), scatter(MIDDLE, title="After"))
    write_exhibit(path, shown(alone, *pair))
    page, complaints, _ = open_page(browser, path)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.locator("#before .mark").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "high, corner: (1.00, 1.00)"
    boxes = [page.locator(f"#{name}").bounding_box() for name in ("alone", "before", "after")]
    assert boxes[1]["x"] == boxes[0]["x"] and boxes[1]["y"] > boxes[0]["y"]
    assert boxes[2]["y"] == boxes[1]["y"] and boxes[2]["x"] > boxes[1]["x"]
    for width in (360, 800):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert complaints == []
