"""Every screen in a browser: no error, no request elsewhere, by keyboard alone, light and dark, for everybody."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from monosema.dashboard.exports.selection import select
from monosema.dashboard.exports.single import write_single
from monosema.features.browse import Query, open_table
from monosema.features.labels import LabelStore

from .served import make, serving
from .test_server import DEAD, IN, SCREENS

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CONTRAST = Path(__file__).with_name("accessibility.js")


class Opened:
    """A page in the browser with what it complained about and what it asked for."""

    def __init__(self, page, base: str) -> None:
        self.page, self.base = page, base
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("dialog", lambda dialog: self.errors.append(dialog.message))

    def open(self, path: str) -> "Opened":
        self.page.goto(self.base + path)
        return self

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def focused(self, script: str = "textContent") -> str:
        return self.page.evaluate(f"document.activeElement.{script}")

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.base)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("screens") / "demo")


@pytest.fixture(scope="module")
def base(run: Path) -> Iterator[str]:
    with serving(run) as url:
        yield url


@pytest.fixture
def opened(browser, base: str) -> Iterator[Opened]:
    context = browser.new_context(viewport={"width": 1280, "height": 860}, color_scheme="light", accept_downloads=True)
    found = Opened(context.new_page(), base)
    yield found
    assert found.errors == []
    assert [url for url in found.requests if not url.startswith(base + "/")] == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("key", SCREENS)
def test_every_screen_is_accessible(opened: Opened, key: str, scheme: str):
    opened.page.emulate_media(color_scheme=scheme)
    opened.open(SCREENS[key])
    if key == "features":
        opened.page.wait_for_selector(".canvas[data-drawn]")
    faults = opened.page.evaluate(CONTRAST.read_text(encoding="utf-8"))
    assert faults == [], faults[:10]


@pytest.mark.parametrize("width", [360, 800, 1280])
@pytest.mark.parametrize("key", SCREENS)
def test_no_screen_is_wider_than_its_window(opened: Opened, key: str, width: int):
    opened.page.set_viewport_size({"width": width, "height": 800})
    opened.open(SCREENS[key])
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_check_sees_what_it_looks_for(opened: Opened):
    opened.open("/")
    opened.page.evaluate(
        """() => { document.querySelector("main").innerHTML =
        '<p id="pale">pale</p><input><button></button><a href="/"></a><img src="/static/icon.svg"><h3>skips</h3>';
        const pale = document.getElementById("pale");
        pale.style.color = "#bbbbbb"; pale.style.background = "#ffffff"; }"""
    )
    faults = " ".join(opened.page.evaluate(CONTRAST.read_text(encoding="utf-8")))
    assert "contrast" in faults and faults.count("no name") == 4 and "h1" in faults


def test_filters_are_in_the_address_and_survive_a_reload(opened: Opened):
    opened.open(f"{IN}/features")
    opened.page.fill('[name="frequency.max"]', "0.1")
    opened.page.fill("#search", "planted")
    opened.press("Enter")
    opened.page.wait_for_url("**/features?q=planted&frequency.max=0.1")
    rows = opened.page.locator("tbody tr").count()
    assert 0 < rows < 50
    opened.page.reload()
    assert opened.page.locator("tbody tr").count() == rows
    assert (
        opened.page.input_value("#search") == "planted" and opened.page.input_value('[name="frequency.max"]') == "0.1"
    )
    opened.page.select_option("#sort", "feature")
    opened.page.wait_for_url("**/features?q=planted&frequency.max=0.1&sort=feature")
    opened.page.locator("tbody .row-link").first.click()
    asked = "?q=planted&sort=feature&frequency.max=0.1"
    opened.page.wait_for_url(lambda url: url.endswith(asked) and not url.endswith(f"/features{asked}"))
    opened.page.click("#list-link")
    opened.page.wait_for_url(lambda url: url.endswith(f"/features{asked}"))
    opened.page.wait_for_selector("tbody tr")
    assert opened.page.locator("tbody tr").count() == rows


def test_dragging_across_the_picture_keeps_what_is_inside(opened: Opened):
    opened.open(f"{IN}/features")
    opened.page.wait_for_selector(".canvas[data-drawn]")
    box = opened.page.locator(".canvas").bounding_box()
    assert box is not None
    opened.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 12)
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.85)
    opened.page.mouse.up()
    opened.page.wait_for_url("**frequency.min=**")
    kept = json.loads(opened.page.request.get(opened.page.url.replace("/features?", "/features.json?")).text())["page"]
    ranges = {r["column"]: (r["low"], r["high"]) for r in kept["query"]["ranges"]}
    low, high = ranges["frequency"]
    assert 0 < kept["n_matching"] < 60 and all(low <= row["frequency"] <= high for row in kept["rows"])
    assert opened.page.input_value('[name="frequency.min"]') != ""


def test_clicking_a_point_opens_its_feature(opened: Opened):
    opened.open(f"{IN}/features?q=1")
    opened.page.wait_for_selector(".canvas[data-drawn]")
    data = json.loads(opened.page.request.get(opened.base + f"{IN}/scatter.json?q=1").text())
    cell = next(c for c in data["cells"] if c["feature"] == 1)
    box = opened.page.locator(".canvas").bounding_box()
    assert box is not None
    x = 56 + (cell["x"] + 0.5) / data["x"]["n_cells"] * (box["width"] - 70)
    y = 10 + (1 - (cell["y"] + 0.5) / data["y"]["n_cells"]) * (box["height"] - 38)
    opened.page.mouse.click(box["x"] + x, box["y"] + y)
    opened.page.wait_for_url("**/feature/1?q=1")


def test_by_keyboard_alone_from_the_list_to_a_label(opened: Opened, run: Path):
    opened.open(f"{IN}/features")
    opened.press("j", "j", "j", "k")
    second = opened.focused()
    assert second == opened.page.locator(".row-link").nth(1).inner_text()
    opened.press("Enter")
    opened.page.wait_for_url(f"**/feature/{second}")
    opened.press("j")
    opened.page.wait_for_url(lambda url: not url.endswith(f"/{second}"))
    opened.press("k")
    opened.page.wait_for_url(f"**/feature/{second}")
    opened.press("l")
    assert opened.focused("id") == "label"
    opened.page.keyboard.type("jk<b>1")
    opened.press("Enter")
    opened.page.wait_for_selector(".said")
    assert opened.page.locator(".headline").inner_text() == "jk<b>1"
    assert LabelStore(run / "labels.sqlite").current("l1", "0" * 16)[int(second)] == "jk<b>1"
    opened.press("g")
    opened.page.keyboard.type(str(DEAD))
    opened.press("Enter")
    opened.page.wait_for_selector(".notice")
    assert "This feature is dead" in opened.page.locator(".notice").inner_text()
    opened.press("/")
    opened.page.wait_for_url("**/features")
    opened.press("/")
    assert opened.focused("id") == "search"
    opened.press("Escape", "s")
    assert opened.focused("id") == "sort"
    opened.press("Escape", "?")
    assert opened.page.locator("#help").is_visible()
    opened.press("Escape")
    assert not opened.page.locator("#help").is_visible()


def test_focus_shows_what_hover_shows(opened: Opened):
    opened.open(f"{IN}/feature/1")
    token = opened.page.locator(".lines .chosen").first
    token.hover()
    said = opened.page.locator("#tip").inner_text()
    assert said.startswith("activation 2.00") and "P of the next token" in said and "10⁻³ nats" in said
    opened.page.mouse.move(2, 2)
    assert opened.page.locator("#tip").is_hidden()
    token.focus()
    assert opened.page.locator("#tip").inner_text() == said
    assert opened.focused("getAttribute('aria-describedby')") == "tip"
    opened.press("ArrowRight")
    assert opened.page.locator("#tip").inner_text() != said
    opened.press("ArrowLeft")
    assert opened.page.locator("#tip").inner_text() == said


def test_e_changes_which_effect_is_underlined_and_it_is_remembered(opened: Opened):
    opened.open(f"{IN}/feature/1")

    def lines() -> str:
        return opened.page.evaluate(
            "[...document.querySelectorAll('.lines .k')].map(e => getComputedStyle(e).textDecorationStyle + "
            "getComputedStyle(e).textDecorationLine).join()"
        )

    total = lines()
    assert "solidunderline" in total and "dashedunderline" in total, "never by colour alone"
    opened.press("e")
    assert lines() != total
    opened.press("e")
    assert "underline" not in lines()
    opened.page.reload()
    assert "underline" not in lines()
    opened.press("e")
    assert lines() == total


def test_a_token_of_a_document_says_what_fires_there(opened: Opened):
    opened.open(f"{IN}/document/1")
    opened.page.locator(".running a").nth(3).focus()
    assert "features fire" in opened.page.locator("#tip").inner_text()
    opened.press("ArrowRight", "Enter")
    opened.page.wait_for_url("**at=**")
    assert opened.page.locator(".running [aria-current]").count() == 1
    assert opened.page.locator("aside tbody tr").count() > 0


def test_the_review_queue_goes_by_keys(opened: Opened, run: Path):
    opened.open(f"{IN}/review?sort=feature")
    opened.page.fill('[name="rater"]', "dee")
    opened.press("Enter")
    opened.page.wait_for_selector("#rating")
    opened.press("3")
    opened.page.wait_for_selector(".found b:text-is('1')")
    opened.press("l")
    opened.page.keyboard.type("12 words")
    opened.press("Enter", "5")
    opened.page.wait_for_selector(".found b:text-is('2')")
    said = {
        x.feature: (x.rating, x.label)
        for x in LabelStore(run / "labels.sqlite").latest("l1", "0" * 16)
        if x.rater == "dee"
    }
    assert said == {0: (3, ""), 1: (5, "12 words")}


def test_two_browsers_at_once_lose_nothing(browser, base: str, run: Path):
    pages = [Opened(browser.new_page(), base).open(f"{IN}/feature/{feature}") for feature in (30, 31)]
    for i, found in enumerate(pages):
        found.page.fill("#label", f"label {i}")
    for found in pages:
        found.press("Enter")
    for found in pages:
        found.page.wait_for_selector(".said")
        found.page.close()
    current = LabelStore(run / "labels.sqlite").current("l1", "0" * 16)
    assert (current[30], current[31]) == ("label 0", "label 1")


def test_every_download_arrives(opened: Opened):
    opened.open(f"{IN}/features?kind=dense")
    opened.open(f"{IN}/export?kind=dense")
    for link in opened.page.locator("a[download]").all():
        with opened.page.expect_download() as started:
            link.click()
        path = started.value.path()
        assert path.stat().st_size > 100, started.value.suggested_filename


def test_the_button_changes_the_theme_and_it_is_remembered(opened: Opened):
    def paper() -> str:
        return opened.page.evaluate("getComputedStyle(document.body).backgroundColor")

    opened.open(f"{IN}/features")
    light = paper()
    opened.page.click("#theme")
    dark = paper()
    opened.open(f"{IN}/feature/1")
    assert light != dark and paper() == dark
    opened.page.click("#theme")
    assert paper() == light


@pytest.mark.parametrize("key", SCREENS)
def test_focus_can_be_seen(opened: Opened, key: str):
    opened.open(SCREENS[key])
    for _ in range(25):
        opened.press("Tab")
        style = "getComputedStyle(document.activeElement)"
        seen = opened.page.evaluate(f"document.activeElement === document.body || {style}.outlineStyle !== 'none'")
        assert seen, opened.focused("outerHTML")[:200]


def test_without_scripts_the_pages_are_there(browser, base: str):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for key, path in SCREENS.items():
        page.goto(base + path)
        assert page.locator("h1").count() == 1, key
    page.goto(base + f"{IN}/features")
    page.fill("#search", "planted")
    with page.expect_navigation():
        page.press("#search", "Enter")
    assert 0 < page.locator("tbody tr").count() < 50
    context.close()


def test_the_single_file_works_from_the_disk(browser, run: Path, tmp_path: Path):
    table = open_table(run / "features" / "l1")
    write_single(tmp_path / "file.html", select(table, Query(), {1: "<script>alert(9)</script>"}))
    url = (tmp_path / "file.html").as_uri()
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    found = Opened(page, url)
    found.open("")
    page.wait_for_selector(".lines")
    assert page.locator(".headline").inner_text() == "<script>alert(9)</script>"
    assert page.locator(".group").count() == len(table.examples(1))
    shown = [e.inner_text() for e in page.locator(".group").first.locator(".chosen").all()]
    assert shown == [" planted"] * len(shown) and shown
    page.locator(".chosen").first.focus()
    assert page.locator("#tip").inner_text().startswith("activation 2")
    before = page.locator("h1").inner_text()
    page.locator("h1").click()
    found.press("j")
    page.wait_for_function(f"document.querySelector('h1').innerText !== {json.dumps(before)}")
    page.fill("#search", "planted")
    assert 0 < page.locator("#list li").count() < 60
    assert page.evaluate(CONTRAST.read_text(encoding="utf-8")) == []
    assert found.errors == [] and {u.partition("#")[0] for u in found.requests if not u.startswith("data:")} == {url}
    page.close()
