"""A comparison is worked out behind the page, which says so and asks again."""

from pathlib import Path
from threading import Event

import pytest
from features.made_tables import Made, make_run
from starlette.testclient import TestClient

from monosema.dashboard import comparisons
from monosema.dashboard.library import Library
from monosema.dashboard.server import application
from monosema.features.browse.comparing import compare

ASKED = "left=run%2Fone&right=run%2Ftwo"
AGAIN = 'http-equiv="refresh"'


def test_a_page_does_not_wait_for_a_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make_run(tmp_path / "run", {"one": Made(), "two": Made(shift=1, other="one")})
    may_go_on, calls = Event(), []

    def slow(*tables):
        calls.append(tables)
        assert may_go_on.wait(30)
        return compare(*tables)

    monkeypatch.setattr(comparisons, "compare", slow)
    client = TestClient(application(Library([tmp_path / "run"])), base_url="http://127.0.0.1")
    page, twin = client.get(f"/compare?{ASKED}"), client.get(f"/compare.json?{ASKED}").json()
    assert page.status_code == 200 and AGAIN in page.text and "are being compared" in page.text
    assert twin["awaited"] is True and twin["comparison"] is None
    monkeypatch.setattr(comparisons, "PATIENCE", 30.0)
    may_go_on.set()
    twin, page = client.get(f"/compare.json?{ASKED}").json(), client.get(f"/compare?{ASKED}")
    assert twin["awaited"] is False and twin["comparison"]["n_paired"] > 0
    assert AGAIN not in page.text and "What changed" in page.text
    assert len(calls) == 1


def test_what_cannot_be_compared_is_said_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(comparisons, "PATIENCE", 30.0)
    make_run(tmp_path / "run", {"one": Made(), "two": Made()})
    manifest = tmp_path / "run" / "features" / "two" / "table.json"
    manifest.write_text(manifest.read_text().replace("b" * 16, "c" * 16))
    client = TestClient(application(Library([tmp_path / "run"])), base_url="http://127.0.0.1")
    for _ in range(2):
        answer = client.get(f"/compare?{ASKED}")
        assert answer.status_code == 409 and "were tabulated on other text" in answer.text
