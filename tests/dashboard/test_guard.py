"""Who is let in: our own host, who has the token, and our own pages' forms."""

from pathlib import Path

import pytest

from monosema.dashboard.guard import HEADERS, Doors, stamp

from .served import SAME_ORIGIN, client, make

TOKEN = "abcdefgh12"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("guard") / "demo")


@pytest.mark.parametrize(
    ("host", "let_in"),
    [("127.0.0.1:8631", True), ("localhost", True), ("[::1]:80", True), ("LOCALHOST:1", True), ("evil.example", False),
     ("127.0.0.1.evil.example", False), ("127.0.0.1@evil.example", False), ("", False), ("10.0.0.1", False)],
)  # fmt: skip
def test_only_our_own_host_is_answered(run: Path, host: str, let_in: bool):
    assert (client(run).get("/static/theme.css", headers={"Host": host}).status_code == 200) == let_in


def test_beyond_loopback_any_address_but_no_name():
    doors = Doors(token=TOKEN, any_address=True)
    assert doors.admits("10.0.0.1:80") and doors.admits("[fe80::1]:80") and not doors.admits("evil.example")


def test_every_answer_carries_the_policy(run: Path):
    asked = client(run)
    for path in ("/", "/static/browser.js", "/nothing", "/r/demo/l1/features.json", "/r/demo/l1/feature/999"):
        headers = asked.get(path).headers
        assert {name: headers[name] for name in HEADERS} == HEADERS
        assert "'unsafe" not in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers


def test_without_the_token_nothing_is_shown(run: Path):
    asked = client(run, doors=Doors(token=TOKEN))
    for path in (
        "/",
        "/static/browser.css",
        "/r/demo/l1/features.json",
        "/?token=",
        "/?token=abcdefgh1",
        "/?token=%C3%A9",
    ):
        answer = asked.get(path)
        assert answer.status_code == 401 and "demo" not in answer.text


def test_the_token_in_the_address_becomes_a_cookie(run: Path):
    asked = client(run, doors=Doors(token=TOKEN))
    answer = asked.get(f"/r/demo/l1/features?kind=alive&token={TOKEN}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/r/demo/l1/features?kind=alive")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and TOKEN not in cookie and stamp(TOKEN) in cookie
    assert asked.get("/r/demo/l1/features").status_code == 200
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert client(run, doors=Doors(token=TOKEN)).get("/", headers=bearer).status_code == 200


def test_the_redirect_stays_here(run: Path):
    asked = client(run, doors=Doors(token=TOKEN))
    answer = asked.get(f"http://127.0.0.1:8631//evil.example/?token={TOKEN}", follow_redirects=False)
    assert answer.headers["location"] == "/evil.example/"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (SAME_ORIGIN, 303),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_only_our_own_pages_change_something(run: Path, headers: dict[str, str], status: int):
    answer = client(run).post(
        "/r/demo/l1/feature/1/label", data={"label": "x"}, headers=headers, follow_redirects=False
    )
    assert answer.status_code == status


def test_too_much_text_is_refused(run: Path):
    answer = client(run).post("/r/demo/l1/feature/1/label", data={"comment": "x" * 70_000}, headers=SAME_ORIGIN)
    assert answer.status_code == 403 and "too long" in answer.text


@pytest.mark.parametrize(
    ("site", "mode", "dest", "status"),
    [
        ("cross-site", "no-cors", "image", 403),
        ("cross-site", "cors", "empty", 403),
        ("cross-site", "navigate", "iframe", 403),
        ("cross-site", "navigate", "document", 200),
        ("same-origin", "cors", "empty", 200),
        ("none", "navigate", "document", 200),
    ],
)
def test_another_site_can_only_lead_here(run: Path, site: str, mode: str, dest: str, status: int):
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
    assert client(run).get("/r/demo/l1/features", headers=headers).status_code == status
