"""A picture of every screen, light and dark, as `monosema dash` serves it: those in docs/images/browser.

    MONOSEMA_RUN=runs/demo MONOSEMA_SCREENSHOTS=FOLDER python -m pytest tests/dashboard/test_pictures.py

Without MONOSEMA_RUN the run is made up; without MONOSEMA_SCREENSHOTS no picture is kept.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from monosema.dashboard.pages.table import PAGES

from .served import make

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CODE = "import sys; from monosema.cli import main; sys.exit(main())"
PROMPT = "def close(self):\n    if self._file is not None:\n        self._file."
READY = {"features": ".canvas[data-drawn]", "compare": "main table, main .missing"}
"""What is there when a screen has drawn itself, where that takes a moment."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a `monosema dash` in a process of its own."""
    given = os.environ.get("MONOSEMA_RUN")
    run = Path(given) if given else make(tmp_path_factory.mktemp("pictures") / "demo")
    command = [sys.executable, "-c", CODE, "dash", str(run), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert process.stdout is not None
    yield process.stdout.readline().removeprefix("open ").strip().rstrip("/")
    process.kill()
    process.communicate()


def screens(page, base: str) -> dict[str, str]:
    """The address of each screen, of the first dictionary and its most important feature."""

    def asked(path: str) -> dict:
        return json.loads(page.request.get(base + path).text())

    rows = asked("/dictionaries.json")["rows"]
    first, other = (rows[i] for i in (0, -1))
    at = f"/r/{first['run']}/{first['dictionary']}"
    best = asked(f"{at}/features.json")["page"]["rows"][0]["feature"]
    pair = [quote(f"{row['run']}/{row['dictionary']}", safe="") for row in (first, other)]
    return {
        "dictionaries": "/",
        "features": f"{at}/features",
        "feature": f"{at}/feature/{best}",
        "documents": f"{at}/documents",
        "document": f"{at}/document/1",
        "prompt": f"{at}/prompt" + (f"?text={quote(PROMPT)}" if os.environ.get("MONOSEMA_RUN") else ""),
        "graph": graph_of(page, base),
        "review": f"{at}/review?rater=ann",
        "compare": f"/compare?left={pair[0]}&right={pair[1]}",
        "export": f"{at}/export",
    }


def graph_of(page, base: str) -> str:
    """The graph of a prompt with its most influential features as a group, where the run has transcoders."""
    sets = page.request.get(f"{base}/graph.json").ok and os.environ.get("MONOSEMA_RUN")
    page.goto(f"{base}/graph")
    if not sets or not page.locator("#question").count():
        return "/graph"
    page.fill("#text", "for i in range(")
    page.click("#question .primary")
    page.wait_for_selector("#drawing")
    names = page.locator("#drawing .node[data-kind=feature]").evaluate_all("all => all.map(e => e.dataset.name)")
    return f"{page.url.removeprefix(base)}#pins={','.join(names[:4])}&group=bracket,{','.join(names[:3])}"


def test_every_screen_has_its_picture_in_the_light_and_in_the_dark(browser, base: str, tmp_path: Path):
    folder = Path(os.environ.get("MONOSEMA_SCREENSHOTS", tmp_path))
    pictures: dict[str, list[bytes]] = {}
    for scheme in ("light", "dark"):
        context = browser.new_context(viewport={"width": 1280, "height": 860}, color_scheme=scheme)
        page, complaints = context.new_page(), []
        page.on("console", lambda message, kept=complaints: kept.append(message.text))
        page.on("pageerror", lambda error, kept=complaints: kept.append(str(error)))
        for key, path in screens(page, base).items():
            assert page.goto(base + path).ok, (key, path)
            if key in READY:
                page.wait_for_selector(READY[key])
            page.wait_for_selector("tr.waiting", state="detached")
            target = folder / f"{key}-{scheme}.png"
            page.screenshot(path=str(target))
            pictures.setdefault(key, []).append(target.read_bytes())
        assert complaints == []
        context.close()
    assert all(light != dark for light, dark in pictures.values()) and len(
        {p for ps in pictures.values() for p in ps}
    ) == 2 * len(PAGES)
