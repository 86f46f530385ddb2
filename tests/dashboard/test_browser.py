"""The page in a browser: no error, no request, and it does what it says on keys, hover and focus."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from monosema.dashboard import ReportData, report, write_report

from .examples import HALF, NASTY, run

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Opened:
    """A page in the browser with what it complained about and what it asked for."""

    def __init__(self, page) -> None:
        self.page, self.errors, self.requests = page, [], []
        page.on("console", lambda message: self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def active(self, script: str) -> str:
        return self.page.evaluate(f"document.activeElement.{script}")


@pytest.fixture
def opened(browser, tmp_path: Path) -> Iterator[Opened]:
    path = tmp_path / "report.html"
    write_report(path, run())
    page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
    found = Opened(page)
    page.goto(path.as_uri())
    assert found.requests == [path.as_uri()]
    yield found
    assert [url for url in found.requests if not url.startswith("data:")] == [path.as_uri()]
    assert found.errors == []
    page.close()


def test_it_opens_with_one_dictionary_in_view(opened: Opened):
    assert opened.page.locator("[role=tabpanel]:visible").count() == 1
    assert opened.page.locator("[role=tab]").all_inner_texts() == ["l1", "topk32"]


def test_j_and_k_go_through_the_features(opened: Opened):
    seen = []
    for key in "jjjjjk":
        opened.page.keyboard.press(key)
        seen.append(opened.active("id"))
    assert seen == ["d0-f1", "d0-f2", "d0-f3", "d0c-f5", "d0c-f5", "d0-f3"]


def test_keys_with_control_are_left_to_the_browser(opened: Opened):
    opened.page.keyboard.press("Control+j")
    assert opened.active("tagName") == "BODY"


def test_hover_and_focus_say_the_same_number(opened: Opened):
    mark = opened.page.locator("#d0-f1 mark").first
    mark.hover()
    assert opened.page.locator("#tip").inner_text() == "activation 2.50 of at most 2.50 · token 102"
    opened.page.mouse.move(2, 2)
    assert opened.page.locator("#tip").is_hidden()
    mark.focus()
    assert opened.page.locator("#tip").inner_text() == "activation 2.50 of at most 2.50 · token 102"
    assert opened.active("getAttribute('aria-describedby')") == "tip"


def test_arrows_step_through_tokens_and_marks(opened: Opened):
    opened.page.locator("#d0-f1 mark").first.focus()
    opened.page.keyboard.press("ArrowRight")
    assert opened.active("textContent") == "self"
    assert opened.page.locator("#d0-f1 mark").nth(1).evaluate("e => e === document.activeElement")
    opened.page.locator("#frontier svg .mark").first.focus()
    before = opened.active("getAttribute('aria-label')")
    opened.page.keyboard.press("ArrowRight")
    assert opened.active("getAttribute('aria-label')") != before
    assert opened.page.locator("#tip").inner_text() == opened.active("getAttribute('aria-label')")


def test_tabs_show_one_dictionary_by_mouse_and_by_key(opened: Opened):
    opened.page.get_by_role("tab", name="topk32").click()
    assert opened.page.locator("[role=tabpanel]:visible").get_attribute("id") == "panel-d1"
    opened.page.keyboard.press("ArrowRight")
    assert opened.page.locator("[role=tabpanel]:visible").get_attribute("id") == "panel-d0"


def test_a_link_opens_the_dictionary_of_its_feature(opened: Opened):
    opened.page.evaluate("location.hash = 'd1-f2'")
    opened.page.wait_for_function("document.activeElement.id === 'd1-f2'")
    assert opened.page.locator("[role=tabpanel]:visible").get_attribute("id") == "panel-d1"


def test_the_button_changes_the_theme(opened: Opened):
    def paper() -> str:
        return opened.page.evaluate("getComputedStyle(document.body).backgroundColor")

    light = paper()
    opened.page.locator("#theme").click()
    dark = paper()
    opened.page.locator("#theme").click()
    assert (light, paper()) == (light, light) and dark != light
    opened.page.emulate_media(color_scheme="dark")
    assert paper() == light  # chosen by hand


def test_the_system_theme_is_followed(browser, tmp_path: Path):
    path = tmp_path / "report.html"
    write_report(path, run())
    grounds = set()
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(path.as_uri())
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.close()
    assert len(grounds) == 2


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_the_page_is_never_wider_than_the_window(opened: Opened, width: int):
    opened.page.set_viewport_size({"width": width, "height": 800})
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_corpus_runs_nothing(browser, tmp_path: Path):
    path = tmp_path / "report.html"
    path.write_text(report(ReportData("".join(NASTY) + HALF, features=run().features)), encoding="utf-8")
    page = browser.new_page()
    found = Opened(page)
    page.on("dialog", lambda dialog: found.errors.append(dialog.message))
    page.goto(path.as_uri())
    page.wait_for_timeout(50)
    assert (found.errors, found.requests) == ([], [path.as_uri()])
    page.close()


def test_without_scripts_every_dictionary_is_there(browser, tmp_path: Path):
    path = tmp_path / "report.html"
    write_report(path, run())
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.locator("[role=tabpanel]:visible").count() == 2
    context.close()
