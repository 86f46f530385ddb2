"""The graph's screen in a browser, on a real run: traced, pinned, changed, reloaded, and a file opened."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from monosema.dashboard.graph.values import Graphed
from monosema.pipeline.workshop import RunModels

from .served import serving
from .test_graph_screen import PROMPT, Slow, own, strongest, url
from .test_screens import CONTRAST, Opened

pytestmark = [pytest.mark.browser, pytest.mark.slow]
__all__ = ["own"]
DRAWN = "#drawing .node"


@pytest.fixture(scope="module")
def base(layered: Path) -> Iterator[str]:
    models = RunModels()
    with serving(layered, opener=models.explorer, workshop=models) as address:
        yield address


@pytest.fixture
def opened(browser, base: str) -> Iterator[Opened]:
    """A page of its own, and at the end: nothing was complained about, and nothing was asked for elsewhere."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    found = Opened(context.new_page(), base)
    yield found
    assert found.errors == []
    assert [link for link in found.requests if not link.startswith((base + "/", "blob:"))] == []
    context.close()


def at(page, name: str):
    return page.locator(f'.nodes .node[data-name="{name}"]')


def test_a_prompt_is_typed_traced_changed_and_the_address_keeps_it_all(opened: Opened, own: Graphed):
    page, name = opened.open("/").page, strongest(own.values)
    page.click(".pages a:text-is('Graph')")
    page.fill("#text", PROMPT)
    for field in ("nodes", "edges"):
        page.fill(f"#question [name={field}]", "1")
    page.locator("#text").focus()
    opened.press("Control+Enter")
    page.wait_for_selector(DRAWN)
    assert page.locator("#changeable").inner_text() == "Pin a feature first."
    at(page, name).focus()
    opened.press("Enter")
    page.select_option("#change [name=how]", "set")
    page.fill("#change [name=amount]", "3")
    opened.press("Enter")
    page.wait_for_selector("#changed-logits tr")
    assert "becomes 3.00" in page.locator("#change-says").inner_text()
    rings = page.locator("#drawing .ring").count()
    assert 0 < rings < page.locator("#changed-features tr").count()
    moved = page.locator("#changed-features tr").first.inner_text().split("\t")
    at(page, moved[0]).focus()
    assert f"pre-activation {moved[1]}, {moved[3]} in the free model" in page.locator("#looked-title").inner_text()
    page.select_option("#moved-by", "patterns")
    at(page, moved[0]).hover()
    assert f"{moved[2]} with patterns held" in page.locator("#tip").inner_text()
    table = page.locator("#changed-logits").inner_text()
    assert f"change=set%2C3%2C{name}" in page.url and f"pins={name}" in page.url
    page.reload()
    page.wait_for_selector("#changed-logits tr")
    assert page.locator("#changed-logits").inner_text() == table and "pressed" in at(page, name).evaluate(
        "e => e.outerHTML"
    )
    page.click("#unchange")
    assert page.locator("#changed").is_hidden() and page.locator(".ring").count() == 0 and "change" not in page.url


def test_all_features_of_a_group_are_changed_and_errors_are_said(opened: Opened, own: Graphed):
    names = [node.name for node in own.values.nodes if node.kind == "feature" and node.layer == 0][:3]
    opened.open(f"{url()}#group=three,{','.join(names)},E_0_0")
    page = opened.page
    page.wait_for_selector(DRAWN)
    page.click("#change .primary")
    page.wait_for_selector("#changed-logits tr")
    assert page.locator("#change-says").inner_text().count("becomes 0.00") == 3
    page.select_option("#change [name=how]", "clamp")
    page.fill("#change [name=amount]", "-1")
    page.click("#change .primary")
    page.wait_for_selector("#change-says:text('below zero')")
    assert page.locator("#changed").is_hidden()
    assert [error for error in opened.errors if "400" not in error] == []
    opened.errors.clear()
    page.uncheck("#changeable input")
    page.click("#change .primary")
    assert "tick it" in page.locator("#change-says").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_screen_is_accessible_and_no_wider_than_its_window(opened: Opened, own: Graphed, scheme: str):
    page, name = opened.page, strongest(own.values)
    page.emulate_media(color_scheme=scheme)
    opened.open(f"{url()}#pins={name}&change=set,3,{name}")
    page.wait_for_selector("#changed-logits tr")
    at(page, name).hover()
    faults = page.evaluate(CONTRAST.read_text(encoding="utf-8"))
    assert faults == [], faults[:10]
    for width in (360, 800, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_file_is_chosen_and_what_is_none_is_said(opened: Opened, own: Graphed, tmp_path: Path):
    file = json.loads(own.document)
    names = [node["node_id"] for node in file["nodes"] if node["feature_type"] == "cross layer transcoder"]
    file["qParams"] |= {"pinnedIds": names[:3], "supernodes": [["a pair", *names[:2]]]}
    file["nodes"][0]["clerp"] = "<b>bold</b>"
    (tmp_path / "mine.json").write_text(json.dumps(file), encoding="utf-8")
    (tmp_path / "cut.json").write_text(json.dumps(file)[:-20], encoding="utf-8")
    page = opened.open("/graph").page
    page.set_input_files("#file", tmp_path / "cut.json")
    page.wait_for_selector("#file-says:text('cut.json is not valid JSON')")
    assert [error for error in opened.errors if "500" not in error] == []
    opened.errors.clear()
    page.set_input_files("#file", tmp_path / "mine.json")
    page.wait_for_selector(DRAWN)
    assert page.locator(".nodes g.box").get_attribute("aria-label").startswith("group a pair: 2 nodes")
    assert page.locator("#pinned li").count() == 1 and page.locator("#changing").count() == 0
    page.locator("#groups button:text-is('Ungroup')").click()
    with page.expect_download() as waited:
        page.click("#download")
    waited.value.save_as(tmp_path / "out.json")
    written = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert written["qParams"]["supernodes"] == [] and written["qParams"]["pinnedIds"] == names[:3]
    assert written["links"] == file["links"]


def test_a_link_is_followed_to_the_graph_and_its_pins_while_it_is_traced(browser, layered: Path, own: Graphed):
    slow, name = Slow(own), strongest(own.values)
    with serving(layered, workshop=slow) as base:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{base}{url()}#pins={name}")
        page.wait_for_selector("#waiting:text('Tracing the prompt')")
        slow.may.set()
        page.wait_for_selector(DRAWN)
        assert at(page, name).get_attribute("aria-pressed") == "true" and page.url.endswith(f"#pins={name}")
        context.close()


def test_without_scripts_the_graph_and_its_numbers_are_there(browser, base: str):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{base}/graph")
    page.fill("#text", PROMPT)
    page.click("#question .primary")
    page.wait_for_selector(DRAWN)
    assert page.locator(".numbers tr").count() == 4 and page.locator("#changing").is_hidden()
    context.close()
