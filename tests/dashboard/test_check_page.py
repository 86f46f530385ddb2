"""The page of a check: what it says, that data stays data, and how it looks.

    MONOSEMA_RUN=runs/demo MONOSEMA_SCREENSHOTS=FOLDER python -m pytest tests/dashboard/test_check_page.py

keeps pictures of the claims, light and dark (those in docs/images). Without MONOSEMA_RUN the check is made up.
"""

import math
import os
from dataclasses import replace
from pathlib import Path

import pytest

from monosema.dashboard.check_page import check_page, write_check
from monosema.dashboard.sections.check import view
from monosema.evaluation.check_terms import CONTROLS, METRICS_SAID
from monosema.evaluation.checks import OWN, TWIN, Check, Checked, Contrast, Frequencies, Measure, Missing
from monosema.evaluation.claims import judge_all

from .examples import NASTY
from .html import read


def measure(
    metric: str, value: float, *contrasts: Contrast, of: str = OWN, missing: tuple[Missing, ...] = ()
) -> Measure:
    return Measure(metric, of, value, value - 0.01, value + 0.01, 64, "documents", contrasts, missing)


def checked(name: str, explained: float) -> Checked:
    """Random directions explain .3; shuffled text was not trained; the loss of random weights is undefined."""
    away = Missing("shuffled_on_text", "its training diverged")
    beside = Contrast("random", 0.3, explained - 0.3, explained - 0.35, explained - 0.25)
    measures = (
        measure("variance_explained", explained, beside, missing=(away,)),
        measure("variance_explained", explained - 0.1, Contrast("randomised", 0.5, -0.1, -0.2, -0.05), of=TWIN),
        measure("loss_recovered_mean", 0.8, Contrast("randomised", math.nan, math.nan, math.nan, math.nan)),
        Measure("l0", OWN, 12.0, 12.0, 12.0, 64, "documents", (Contrast("random", 12.0, 0.0, 0.0, 0.0),)),
    )
    edges = (-3.0, -2.0, -1.0, 0.0)
    own, beside = Frequencies("", edges, (1, 8, 2), 1, 0.0), Frequencies("random", edges, (2, 6, 4), 0, 0.25)
    return Checked(name, "topk", "topk with 12 features", measures, (own, beside), judge_all(name, measures))


def made_up(names: tuple[str, ...] = ("good", "bad")) -> Check:
    dictionaries = tuple(checked(name, value) for name, value in zip(names, (0.7, 0.31), strict=True))
    return Check(dictionaries, METRICS_SAID, CONTROLS, "tiny", 12_345, 64, 1000, 4000, 3)


def test_verdicts_are_told_by_mark_and_by_word():
    root = read(check_page(made_up(), "demo"))
    row = next(r for r in root.find("tr") if "random directions that fire as often" in r.words())
    assert [cell.words().strip() for cell in row.find("td")] == ["✓ supported", "✗ not supported"]
    assert "○ not measured" in root.words()


def test_each_claim_has_its_sentence_rule_and_numbers():
    words = " ".join(read(check_page(made_up(), "demo")).words().split())
    assert "good explains 0.7 of the variance; random directions that fire as often explain 0.3." in words
    assert "the 95% interval lies above 0, and it is at least 0.1." in words
    assert "difference 0.01, 95% -0.04..0.06: not clear of zero" in words


def test_values_stand_beside_their_controls():
    rows = {row.words: row for row in view(made_up()).dictionaries[0].tables[0].rows if not row.note}
    explained = rows["variance explained"]
    assert (explained.value, explained.interval) == ("0.700", "0.690 .. 0.710")
    cell = explained.cells[0]
    assert cell is not None and (cell.value, cell.difference, cell.interval) == ("0.300", "+0.400", "+0.350 .. +0.450")
    assert [c.why for c in explained.cells if c is not None and c.why] == ["its training diverged"]
    assert [c.value for c in rows["loss recovered (mean ablation)"].cells if c] == ["undefined"]
    assert [c.flag for c in rows["L0"].cells if c] == [""]


def test_what_has_no_number_at_all_has_no_table():
    nothing = Measure("explanation", OWN, math.nan, math.nan, math.nan, 0, "features", (), (Missing("floor", "why"),))
    one = checked("good", 0.7)
    check = replace(made_up(), dictionaries=(replace(one, measures=(*one.measures, nothing)),))
    assert [table.title for table in view(check).dictionaries[0].tables] == ["Fidelity"]


def test_a_twin_has_a_row_of_its_own_and_the_page_says_why():
    words = read(check_page(made_up(), "demo")).words()
    assert "the same recipe, as long as its controls" in words and "saw 1,000 rows, the dictionaries 4,000" in words
    equal = replace(made_up(), rows=4000)
    assert "--rows gives them more" not in read(check_page(equal, "demo")).words()


def test_names_stay_text():
    page = check_page(made_up(names=(NASTY[0], NASTY[2])), NASTY[1])
    root = read(page)
    assert len(root.find("script")) == 1 and not root.find("img")
    assert page == check_page(made_up(names=(NASTY[0], NASTY[2])), NASTY[1])


@pytest.mark.browser
@pytest.mark.slow
def test_it_looks_well_light_and_dark_and_asks_for_nothing(browser, tmp_path: Path):
    given, folder = os.environ.get("MONOSEMA_RUN"), Path(os.environ.get("MONOSEMA_SCREENSHOTS", tmp_path))
    path = Path(given).resolve() / "check.html" if given else tmp_path / "check.html"
    if not given:
        write_check(path, made_up(), "demo")
    pictures = []
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport={"width": 1280, "height": 1000}, color_scheme=scheme)
        complaints, requests = [], []
        page.on("console", lambda message, kept=complaints: kept.append(message.text))
        page.on("pageerror", lambda error, kept=complaints: kept.append(str(error)))
        page.on("request", lambda request, kept=requests: kept.append(request.url))
        page.goto(path.as_uri())
        page.evaluate("document.getElementById('claims').scrollIntoView()")
        target = folder / ("check.png" if scheme == "light" else "check-dark.png")
        pictures.append(page.screenshot(path=str(target)))
        page.locator("#d0 details summary").first.click()
        assert page.locator("#d0 .rule").first.is_visible()
        for width in (360, 800, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert (complaints, [url for url in requests if not url.startswith("data:")]) == ([], [path.as_uri()])
        page.close()
    assert pictures[0] != pictures[1]
