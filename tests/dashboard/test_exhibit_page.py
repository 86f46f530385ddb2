"""The page of an experiment: what it says, that data stays data, that its frames play, and its SVG files."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from monosema.core.findings import Finding
from monosema.dashboard.exhibit_page import exhibit_page, panel_svgs, write_exhibit, write_panels
from monosema.toys import ArrowFrame, Arrows, Curves, Exhibit, Heatmap, Line, Table

from .examples import NASTY
from .html import read
from .test_colours import contrast, rgb

CSS = (Path(__file__).parents[2] / "src/monosema/dashboard/assets/exhibit.css").read_text(encoding="utf-8")
PAPER = {"light": "#fdfcfa", "dark": "#131517"}


@dataclass(frozen=True)
class Settings:
    n_steps: int = 400
    s: tuple[float, ...] = (8.0, 2.0)


def made_up(name: str = "made-up") -> Exhibit:
    """One panel of every kind."""
    falling = Line("own", (0, 1, 2), (4.0, 1.0, 0.0), low=(3.0, 0.5, 0.0), high=(5.0, 1.5, 0.5))
    lines = (falling, Line("exact", (0, 2), (4, 0), role="theory"), Line("none", (0, 2), (4.0, 4.0), role="control"))
    frames = tuple(ArrowFrame(f"step {k}", ((k + 1.0, 0.0), (0.0, 1.0)), (1.0, 0.2)) for k in range(3))
    panels = (
        Curves("Loss", "It falls to zero.", "time", "loss", lines),
        Heatmap("Phases", "Two regions.", "r", "p", (1, 2), (3, 4), ((0, 1), (1, 1)), classes=("one", "two")),
        Arrows("Directions", "Two directions.", frames),
        Table("Shares", "One row.", ("what", "share"), ((name, "1/2"),)),
    )
    finding = Finding("length", 120.0, 3.0, "without the product", 110.0, 130.0, 8, "seeds")
    return Exhibit(name, "Why?", ("It took 120 steps.",), panels, {"plateau_length": finding}, Settings(), "8 seeds")


def test_it_says_the_answer_the_numbers_and_how():
    words = " ".join(read(exhibit_page(made_up())).words().split())
    for said in (
        "Why?",
        "It took 120 steps.",
        "plateau length",
        "without the product",
        "8 seeds",
        "n steps",
        "8.0, 2.0",
    ):
        assert said in words
    assert re.search(r"120 control 3(\.00)? 95% interval 110 \.\. 130", words)


def test_the_key_names_the_kinds_of_line_that_are_drawn():
    def keys(exhibit: Exhibit) -> list[str]:
        return [one.words().strip() for one in read(exhibit_page(exhibit)).find("span", class_="key")]

    drawn = made_up()
    assert keys(drawn)[:3] == ["measured", "theory", "control"]
    plain = replace(drawn, panels=drawn.panels[1:])  # a map, arrows and a table: no line
    assert not {"measured", "theory", "control"} & set(keys(plain))


def test_every_panel_says_what_is_to_be_seen_to_those_who_cannot_see():
    root = read(exhibit_page(made_up()))
    figures = root.find("figure")
    assert [f.find("figcaption")[0].words() for f in figures] == ["Loss", "Phases", "Directions", "Shares"]
    assert [svg.attributes["aria-label"] for f in figures[:3] for svg in f.find("svg")] == [
        "It falls to zero.",
        "Two regions.",
        "Two directions.",
    ]
    assert all("." in f.find("p", class_="note")[0].words() for f in figures)


def test_marks_say_their_numbers():
    root = read(exhibit_page(made_up()))
    said = [mark.attributes["aria-label"] for mark in root.find("g", class_="mark")]
    assert "own: 1.00 (0.500 to 1.50) at 1.00" in said
    assert "two, at r 2.00, p 3.00" in said
    assert "feature 0: length 3.00, at (3.00, 0), weight 1.00; step 2" in said
    assert not [text for text in said if text and text.startswith("exact")]  # theory is a line, not a measurement


def test_without_a_script_the_last_frame_is_seen():
    moments = read(exhibit_page(made_up())).find("g", class_="moment")
    assert [m.attributes["data-label"] for m in moments] == ["step 0", "step 1", "step 2"]
    assert [m.has("class_", "shown") for m in moments] == [False, False, True]


def test_names_stay_text_and_the_same_exhibit_gives_the_same_bytes():
    nasty = replace(made_up(NASTY[0]), question=NASTY[1], answer=(NASTY[2],))
    page = exhibit_page(nasty)
    root = read(page)
    assert len(root.find("script")) == 1 and not root.find("img")
    assert page == exhibit_page(nasty)


def test_an_svg_file_stands_alone(tmp_path: Path):
    paths = write_panels(tmp_path / "made-up", made_up())
    assert [path.name for path in paths] == ["loss.svg", "phases.svg", "directions.svg"]
    for path in paths:
        text = path.read_text(encoding="utf-8")
        root = ElementTree.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and "var(" not in text
        assert root.find("{http://www.w3.org/2000/svg}desc") is not None
        assert not re.findall(r"(?:href|src|url)\s*[=(]", text)


def test_panels_of_the_same_title_get_files_of_their_own():
    one = made_up()
    assert list(panel_svgs(replace(one, panels=one.panels[:1] * 2))) == ["loss", "loss-2"]


def themes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r"\{([^{}]*--c0:[^{}]*)\}", CSS)
    light, system_dark, dark = (dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block)) for block in blocks)
    assert system_dark == dark and light.keys() == dark.keys()
    return {"light": light, "dark": dark}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lines_stand_out_and_shades_rise(theme: str):
    colours, paper = themes()[theme], rgb(PAPER[theme])
    assert all(contrast(rgb(colours[f"c{i}"]), paper) >= 3 for i in range(8))
    shades = [contrast(rgb(colours[f"q{i}"]), paper) for i in range(12)]
    assert shades == sorted(shades) and shades[-1] > 7


def open_page(browser, path: Path, **options):
    page, complaints, requests = browser.new_page(**options), [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    return page, complaints, requests


@pytest.mark.browser
@pytest.mark.slow
def test_frames_play_and_slide(browser, tmp_path: Path):
    path = tmp_path / "page.html"
    write_exhibit(path, made_up())
    page, complaints, requests = open_page(browser, path)
    shown = page.locator(".moment.shown")
    slider, button = page.locator(".player input"), page.locator(".player .play")
    slider.fill("0")
    assert shown.count() == 1 and shown.get_attribute("data-label") == "step 0"
    assert page.locator(".player output").inner_text() == "step 0"
    button.click()
    page.wait_for_selector(".moment.shown[data-label='step 2']")
    assert button.inner_text() == "Play"
    assert (complaints, [url for url in requests if not url.startswith("data:")]) == ([], [path.as_uri()])
    page.close()


@pytest.mark.browser
@pytest.mark.slow
def test_less_motion_no_script_and_narrow_windows(browser, tmp_path: Path):
    path = tmp_path / "page.html"
    write_exhibit(path, made_up())
    calm, _, _ = open_page(browser, path, reduced_motion="reduce")
    assert not calm.locator(".play").is_visible() and calm.locator(".player input").is_visible()
    bare, _, _ = open_page(browser, path, java_script_enabled=False)
    assert bare.locator(".moment.shown").is_visible() and not bare.locator(".player").is_visible()
    for scheme in ("light", "dark"):
        page, complaints, _ = open_page(browser, path, color_scheme=scheme)
        for width in (360, 800, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert complaints == []
