"""The prompt in a browser, on a real run: typing, choosing, watching effects arrive, stopping, steering.

MONOSEMA_SCREENSHOTS=FOLDER keeps pictures.
"""

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import torch

from monosema.features.live import Explorer
from monosema.pipeline.exploring import open_explorer

from .served import serving
from .test_prompt import IN, TEXT, Slow, wait_for
from .test_screens import CONTRAST, Opened

pytestmark = [pytest.mark.browser, pytest.mark.slow]
DONE = "#firing[data-state=done]"


@pytest.fixture(scope="module")
def explorer(explored: Path) -> Explorer:
    return open_explorer(explored)


@pytest.fixture(scope="module")
def base(explored: Path, explorer: Explorer) -> Iterator[str]:
    with serving(explored, opener=lambda _: explorer) as url:
        yield url


@pytest.fixture
def opened(browser, base: str) -> Iterator[Opened]:
    yield from fresh(browser, base)


def fresh(browser, base: str) -> Iterator[Opened]:
    """A page of its own, and at the end: nothing was complained about, and nothing was asked for elsewhere."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    found = Opened(context.new_page(), base)
    yield found
    assert found.errors == []
    assert [url for url in found.requests if not url.startswith(base + "/")] == []
    context.close()


def path(**given: object) -> str:
    return f"{IN}?{urlencode({'text': TEXT, **given})}"


def feature_at(explorer: Explorer, at: int) -> int:
    return explorer.look("topk", TEXT, at).firing[0].feature


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_screen_is_accessible_and_has_its_pictures(opened: Opened, explorer: Explorer, scheme: str):
    opened.page.emulate_media(color_scheme=scheme)
    opened.open(path(at=3, feature=feature_at(explorer, 3), how="set", value=6, tokens=8))
    opened.page.wait_for_selector(DONE)
    opened.page.locator("#firing tbody .says").first.hover()
    assert opened.page.locator("#steered .samples dd").count() == 3
    faults = opened.page.evaluate(CONTRAST.read_text(encoding="utf-8"))
    assert faults == [], faults[:10]
    if folder := os.environ.get("MONOSEMA_SCREENSHOTS"):
        opened.page.screenshot(path=str(Path(folder) / f"prompt-read-{scheme}.png"), full_page=True)


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_the_screen_is_no_wider_than_its_window(opened: Opened, explorer: Explorer, width: int):
    opened.page.set_viewport_size({"width": width, "height": 800})
    opened.open(path(at=3, feature=feature_at(explorer, 3), how="scale", value=-3, tokens=8))
    opened.page.wait_for_selector(DONE)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_prompt_is_typed_a_token_is_clicked_and_a_reload_keeps_both(opened: Opened):
    opened.open("/r/tiny/topk/features")
    opened.page.click(".pages a:text-is('Prompt')")
    opened.page.fill("#text", "the red dog\nran far")
    opened.page.locator("#text").focus()
    opened.press("Control+Enter")
    opened.page.wait_for_selector(DONE)
    token = opened.page.locator(".running button").nth(4)
    at = token.get_attribute("value")
    token.click()
    opened.page.wait_for_url(f"**at={at}**")
    opened.page.wait_for_selector(DONE)
    chosen = opened.page.locator(".running [aria-current]")
    assert chosen.count() == 1 and chosen.get_attribute("value") == at
    filled = opened.page.locator("#firing td.total").all_inner_texts()
    assert len(filled) == 4 and all(filled)
    opened.page.reload()
    opened.page.wait_for_selector(DONE)
    assert opened.page.input_value("#text") == "the red dog\nran far"
    assert opened.page.locator(".running [aria-current]").get_attribute("value") == at
    assert opened.page.locator("#firing td.total").all_inner_texts() == filled


def test_what_was_measured_can_be_sorted_by_its_exact_effect(opened: Opened):
    opened.open(path(at=3))
    opened.page.wait_for_selector(DONE)
    totals = "rows => rows.map(row => row.dataset.total)"
    before = opened.page.eval_on_selector_all("#firing tbody tr", totals)
    opened.page.focus("#by-total")
    opened.press("Enter")
    after = opened.page.eval_on_selector_all("#firing tbody tr", totals)
    assert sorted(before, key=float, reverse=True) == after != before
    assert opened.page.get_attribute("#firing [aria-sort]", "id") == "total-heading"


def test_a_token_is_chosen_by_keys_and_keeps_the_focus(opened: Opened):
    opened.open(path())
    opened.page.wait_for_selector(DONE)
    opened.page.locator(".running [aria-current]").focus()
    opened.press("ArrowLeft", "ArrowLeft")
    at = opened.focused("value")
    assert opened.page.locator("#tip").inner_text().startswith(f"position {at} · loss ")
    opened.press("Enter")
    opened.page.wait_for_url(f"**at={at}**")
    opened.page.wait_for_selector(DONE)
    assert opened.focused("value") == at and opened.focused("getAttribute('aria-current')") == "true"
    opened.press("ArrowRight")
    assert opened.focused("value") != at


def test_effects_arrive_one_by_one_escape_stops_them_and_they_can_go_on(browser, explored: Path):
    slow = Slow(open_explorer(explored))
    with serving(explored, opener=lambda _: slow) as base:
        for found in fresh(browser, base):
            page = found.open(path(at=3)).page
            totals = page.locator("#firing td.total .value")
            assert totals.all_inner_texts() == [""] * 4 and page.locator("tr.waiting").count() == 4
            for n in (1, 2):
                slow.may.release()
                page.wait_for_selector(f"#progress-note:text-is('{n} of 4 measured exactly')")
                assert [bool(text) for text in totals.all_inner_texts()] == [i < n for i in range(4)]
            wait_for(lambda: len(slow.asked) == 3)
            found.press("Escape")
            page.wait_for_selector("#firing[data-state=stopped]")
            assert page.locator("#progress-note").inner_text() == "stopped: 2 measured exactly"
            assert page.locator("tr.waiting").count() == 0 and page.locator("#stop").is_hidden()
            page.wait_for_timeout(300)
            for _ in range(3):
                slow.may.release()
            page.wait_for_timeout(500)
            assert len(slow.asked) == 3, "the one that was being measured is the last"
            for _ in range(8):
                slow.may.release()
            page.click("#go-on")
            page.wait_for_selector(DONE)
            assert all(totals.all_inner_texts()) and page.locator("#go-on").is_hidden()
            page.click("#theme")  # no scripts have stopped


def test_the_button_stops_too(browser, explored: Path):
    slow = Slow(open_explorer(explored))
    with serving(explored, opener=lambda _: slow) as base:
        for found in fresh(browser, base):
            page = found.open(path(at=3)).page
            slow.may.release()
            page.wait_for_selector("#progress-note:text-is('1 of 4 measured exactly')")
            page.click("#stop")
            page.wait_for_selector("#firing[data-state=stopped]")
            threading.Timer(0.3, lambda: [slow.may.release() for _ in range(4)]).start()


def test_a_row_underlines_what_its_feature_does_to_each_token(opened: Opened, explorer: Explorer):
    opened.open(path(at=3))
    opened.page.wait_for_selector(DONE)
    for i, effect in enumerate(explorer.ablations("topk", TEXT, 3)):
        opened.page.locator("#firing tbody .row-link").nth(i).focus()
        styles = opened.page.evaluate(
            "[...document.querySelectorAll('.running button')].map(e => { const s = getComputedStyle(e); "
            "return s.textDecorationLine === 'underline' ? s.textDecorationStyle : ''; })"
        )
        largest = max(abs(e) for e in effect.tokens if e is not None)
        strongest = next(i for i, e in enumerate(effect.tokens) if e is not None and abs(e) == largest)
        assert styles[strongest] == ("solid" if effect.tokens[strongest] > 0 else "dashed")
        shades = opened.page.locator(".running button").evaluate_all(
            "all => all.map(e => /\\ba[1-8]\\b/.test(e.className))"
        )
        assert shades == [act > 0 for act in effect.acts]
        assert "P " in opened.page.locator("#tip").inner_text()


def test_steering_stays_on_the_page_and_survives_a_reload(opened: Opened, explorer: Explorer):
    opened.open(path(at=3))
    opened.page.wait_for_selector(DONE)
    asked = len([url for url in opened.requests if "/effects" in url])
    assert opened.page.input_value("#steer [name=feature]") == str(feature_at(explorer, 3))
    opened.page.select_option("#steer [name=how]", "scale")
    opened.page.fill("#steer [name=value]", "-4")
    opened.page.fill("#steer [name=tokens]", "6")
    opened.press("Enter")
    opened.page.wait_for_selector("#steered .samples")
    shown = opened.page.locator("#steered").inner_text()
    assert "multiplied by -4" in shown and "random direction" in shown
    assert len([url for url in opened.requests if "/effects" in url]) == asked, "the effects are not asked for again"
    assert "how=scale" in opened.path and "value=-4" in opened.path
    opened.page.reload()
    assert opened.page.locator("#steered").inner_text() == shown
    assert opened.page.input_value("#steer [name=how]") == "scale"
    opened.page.wait_for_selector(DONE)


def test_where_nothing_fires_it_says_so(browser, explored: Path, explorer: Explorer, tmp_path: Path):
    run = Path(shutil.copytree(explored, tmp_path / "tiny"))
    whole = explorer.dictionaries["topk"]
    silent = whole.pruned(torch.zeros(whole.n_features, dtype=torch.bool))
    manifest = run / "features" / "topk" / "table.json"
    manifest.write_text(manifest.read_text().replace(whole.fingerprint, silent.fingerprint))
    pruned = Explorer(explorer.model, explorer.tokenizer, {"topk": silent})
    with serving(run, opener=lambda _: pruned) as base:
        for found in fresh(browser, base):
            found.open(path(at=3))
            assert "No feature fires here." in found.page.locator("#firing").inner_text()
            assert not [url for url in found.requests if "/effects" in url]


def test_a_prompt_that_is_too_long_is_told_and_kept(opened: Opened):
    opened.open(IN)
    text = "the cat sat " * 10
    opened.page.fill("#text", text)
    opened.page.click("#prompt .primary")
    assert "at most 15 fit" in opened.page.locator("[role=alert]").inner_text()
    assert opened.page.input_value("#text") == text
    assert [error for error in opened.errors if "400" not in error] == []
    opened.errors.clear()


def test_without_scripts_tokens_effects_and_steering_are_there(browser, base: str):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(base + path(at=3))
    page.locator(".running button").nth(2).click()
    page.wait_for_url("**at=2**")
    page.click("noscript button")
    assert all(page.locator("#firing td.total").all_inner_texts())
    page.fill("#steer [name=value]", "5")
    page.click("#steer .primary")
    assert page.locator("#steered .samples dd").count() == 3
    context.close()
