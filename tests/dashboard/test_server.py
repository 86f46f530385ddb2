"""Every page and its twin, what they say of what is missing, and that text stays text."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from features.made_tables import DEAD_EVERY, DENSE, NASTY, RARE, Made, make_run

from monosema.core.errors import ConfigError, RunError
from monosema.dashboard.library import Library
from monosema.dashboard.pages.table import PAGES
from monosema.dashboard.server import STATIC, listen
from monosema.features.labels import LabelStore

from .html import Element, read
from .served import SAME_ORIGIN, client, make

IN = "/r/demo/l1"
DEAD = DEAD_EVERY - 1
SCREENS = {
    "dictionaries": "/",
    "features": f"{IN}/features",
    "feature": f"{IN}/feature/1",
    "documents": f"{IN}/documents",
    "document": f"{IN}/document/1",
    "prompt": f"{IN}/prompt",
    "graph": "/graph",
    "review": f"{IN}/review?rater=ann",
    "compare": "/compare?left=demo%2Ftopk32&right=demo%2Fl1",
    "export": f"{IN}/export",
}


def twin(url: str) -> str:
    path, _, query = url.partition("?")
    return ("/dictionaries.json" if path == "/" else f"{path}.json") + ("?" + query if query else "")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("server") / "demo")


@pytest.fixture(scope="module")
def asked(run: Path):
    return client(run)


def page(asked, url: str, status: int = 200) -> Element:
    answer = asked.get(url)
    assert answer.status_code == status, answer.text
    return read(answer.text.removeprefix("<!doctype html>"))


def test_every_page_is_tested_here():
    assert {p.key for p in PAGES} == SCREENS.keys()


@pytest.mark.parametrize("key", SCREENS)
def test_a_page_is_whole_and_loads_only_our_own_files(asked, key: str):
    tree = page(asked, SCREENS[key])
    sources = [e.attributes.get("src") for e in tree.find("script")] + [e.attributes["href"] for e in tree.find("link")]
    assert all(source and source.removeprefix("/static/") in STATIC for source in sources)
    assert all(e.words().strip() == "" for e in tree.find("script")), "no script stands in a page"
    assert not tree.find("style") and not tree.find("img") and not tree.find("iframe")
    for element in tree.find(""):
        assert not [name for name in element.attributes if name.startswith("on") or name == "style"], element
        assert not (element.attributes.get("href") or "").startswith("javascript:")
    assert len(tree.find("h1")) == 1 and len(tree.find("main")) == 1


@pytest.mark.parametrize("key", SCREENS)
def test_every_page_has_its_twin(asked, key: str):
    answer = asked.get(twin(SCREENS[key]))
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    assert isinstance(json.loads(answer.text), dict)


@pytest.mark.parametrize("key", SCREENS)
def test_every_link_leads_somewhere(asked, key: str):
    links = {e.attributes["href"] for e in page(asked, SCREENS[key]).find("a") if e.attributes.get("href")}
    inside = sorted(link for link in links if link and not link.startswith("#") and "/export/" not in link)
    for link in inside[:: max(1, len(inside) // 12)]:
        assert asked.get(link).status_code == 200, link


def test_the_corpus_is_text_everywhere(asked):
    for key in ("features", "feature", "document"):
        text = asked.get(SCREENS[key]).text
        assert "<script>alert" not in text and "onerror=alert(2)>" not in text and "\u202e" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<b>.py" not in asked.get(f"{IN}/documents").text and "&lt;b&gt;.py" in asked.get(f"{IN}/documents").text


@pytest.mark.parametrize("text", [*NASTY, "\ud7ff\ue000", "two\nlines"])
def test_a_label_is_text(run: Path, asked, text: str):
    data = {"label": text, "comment": text, "rater": "eve<b>", "rating": "3"}
    answer = asked.post(f"{IN}/feature/2/label", data=data, headers=SAME_ORIGIN, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{IN}/feature/2")
    tree = page(asked, f"{IN}/feature/2")
    assert len(tree.find("script")) == 2 and not tree.find("img")
    stored = LabelStore(run / "labels.sqlite").of_feature("l1", "0" * 16, 2)[0]
    assert (stored.label, stored.rater, stored.rating) == (text.strip(), "eve<b>", 3)
    assert tree.find("input", id="label")[0].attributes["value"] == text.strip()


def test_numbers_stand_on_the_page_as_in_the_table(asked):
    row = json.loads(asked.get(f"{IN}/features.json?size=1").text)["page"]["rows"][0]
    assert (row["feature"], row["importance"], row["importance_is"]) == (1, 1.5, "total")
    cells = page(asked, f"{IN}/features?size=1").find("tbody")[0].words().split()
    assert cells[0] == "1" and "+1,500" in cells and "±300" in cells


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        (DEAD, "This feature is dead: it fired on none of the"),
        (DENSE, "This feature is dense: it fires on 3"),
        (RARE, "This feature is ultra-rare: it fired on 4 of"),
    ],
)
def test_what_must_be_said_of_a_feature_is_said_in_words(asked, feature: int, words: str):
    text = page(asked, f"{IN}/feature/{feature}").words()
    assert words in text
    if feature == DEAD:
        assert "There are no examples" in text and "0.000" not in text


@pytest.mark.parametrize(
    ("url", "status", "says"),
    [
        (f"{IN}/feature/60", 404, "there is no feature 60: 'l1' has features 0 to 59"),
        ("/r/demo/topk/features", 404, "unknown dictionary 'topk'. Did you mean 'topk32'?"),
        ("/r/other/l1/features", 404, "unknown run 'other'"),
        (f"{IN}/features?kind=dad", 400, "unknown value of kind 'dad'. Did you mean 'dead'?"),
        (f"{IN}/features?page=1&page=2", 400, "a key stands twice"),
        (f"{IN}/document/99999", 404, "there is no document 99999"),
        (f"{IN}/document/0?at=x", 400, "at is 'x': it must be a whole number"),
        ("/compare?left=demo/l1&right=demo", 404, "unknown dictionary ''"),
        ("/nothing", 404, "There is no such page."),
        (f"{IN}/export/secret", 404, "There is no such page."),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line(asked, url: str, status: int, says: str):
    assert says in page(asked, url, status).words()
    if "/export/" not in url and url != "/nothing":
        answer = asked.get(twin(url))
        assert answer.status_code == status and says in json.loads(answer.text)["error"]


@pytest.mark.parametrize(
    "path",
    ["/static/../server.py", "/static/..%2fserver.py", "/static/%2e%2e/page.py", "/static/report.css",
     "/r/..%2f..%2fetc/passwd/features", "/r/demo/..%2f..%2f..%2fetc/features", "/r/demo/l1%00/features"],
)  # fmt: skip
def test_no_path_of_a_request_reaches_the_disk(asked, path: str):
    assert asked.get(path).status_code == 404


@pytest.mark.parametrize("away", ["//evil.example", "https://evil.example", "/r/\\evil", "/r/x//y", "/r/a\nb"])
def test_edits_go_on_only_to_our_own_pages(asked, away: str):
    data = {"label": "x", "next": away}
    answer = asked.post(f"{IN}/feature/3/label", data=data, headers=SAME_ORIGIN, follow_redirects=False)
    assert answer.status_code == 400


def test_lists_and_views_are_kept(asked):
    asked.post(f"{IN}/feature/4/list", data={"name": "look again"}, headers=SAME_ORIGIN)
    assert "on look again" in page(asked, f"{IN}/feature/4").words()
    answer = asked.post(f"{IN}/views", data={"name": "rare ones", "query": "kind=rare"}, headers=SAME_ORIGIN)
    assert answer.url.query == b"kind=rare" and "rare ones" in answer.text
    assert asked.post(f"{IN}/views", data={"name": "x", "query": "kind=r"}, headers=SAME_ORIGIN).status_code == 400


def test_the_queue_goes_on_to_what_this_rater_has_not_rated(tmp_path: Path):
    asked, url = client(make(tmp_path / "demo")), f"{IN}/review?rater=ann&sort=feature"
    seen = []
    for rating in "12345":
        found = json.loads(asked.get(twin(url)).text)["feature"]["detail"]["row"]["feature"]
        seen.append(found)
        asked.post(f"{IN}/feature/{found}/label", data={"rater": "ann", "rating": rating}, headers=SAME_ORIGIN)
    assert seen == [0, 1, 2, 3, 4]
    other = json.loads(asked.get(twin(url).replace("ann", "bob")).text)
    assert other["feature"]["detail"]["row"]["feature"] == 0 and other["n_done"] == 0
    assert other["n_queue"] == 58, "dead features are not asked about"
    for feature, rating in enumerate("12345"):
        asked.post(f"{IN}/feature/{feature}/label", data={"rater": "bob", "rating": rating}, headers=SAME_ORIGIN)
    agreement = json.loads(asked.get(twin(url)).text)["agreement"]
    assert agreement == {"n_features": 5, "n_raters": 2, "exact": 1.0, "alpha": 1.0}


def test_blind_means_blind(asked):
    asked.post(f"{IN}/feature/1/label", data={"label": "the secret label"}, headers=SAME_ORIGIN)
    blind = page(asked, f"{IN}/review?rater=cho")
    assert "the secret label" not in blind.words() and not blind.find("span", class_="floor")
    assert "Feature 1" not in blind.words()
    seen = page(asked, f"{IN}/review?rater=cho&blind=no").words()
    assert "the secret label" in seen and "Feature 1" in seen


def test_a_run_without_tables_says_which_command_makes_them(tmp_path: Path):
    (tmp_path / "provenance.json").write_text("{}")
    with pytest.raises(RunError, match=r"has no feature tables: build them with `monosema features .*`"):
        Library([tmp_path])


def test_two_runs_of_one_name_are_told_apart(run: Path, tmp_path: Path):
    make_run(tmp_path / "demo", {"only": Made(n_features=12, n_tokens=512)})
    library = Library([run, tmp_path / "demo", run])
    assert library.names() == [("demo", "l1"), ("demo", "topk32"), ("demo-2", "only")]


def test_a_table_that_appears_or_changes_is_seen(tmp_path: Path):
    run = tmp_path / "demo"
    make_run(run, {"l1": Made(n_features=12, n_tokens=512)})
    asked = client(run)
    assert json.loads(asked.get(f"{IN}/features.json").text)["page"]["n_features"] == 12
    make_run(run, {"l1": Made(n_features=24, n_tokens=512), "new": Made(n_features=12, n_tokens=512)})
    assert json.loads(asked.get(f"{IN}/features.json").text)["page"]["n_features"] == 24
    assert [row["dictionary"] for row in json.loads(asked.get("/dictionaries.json").text)["rows"]] == ["l1", "new"]


def test_a_broken_table_is_named_and_the_others_are_shown(tmp_path: Path):
    run = make(tmp_path / "demo")
    (run / "features" / "l1" / "table.json").write_text('{"format": 0}')
    text = page(client(run), "/").words()
    assert "is a table of format 0" in text and "topk32" in text


def test_a_table_in_the_making_is_shown_so_far(tmp_path: Path):
    run = make(tmp_path / "demo")
    path = run / "features" / "l1" / "table.json"
    state = {"state": "building", "stage": "measure", "done": 2, "total": 7}
    path.write_text(json.dumps({**json.loads(path.read_text()), **state}))
    for name in ("features", "examples", "effects"):
        (run / "features" / "l1" / f"{name}.parquet").unlink()
    asked = client(run)
    assert "being built: measure, 2 of 7" in page(asked, f"{IN}/features").words()
    assert "Being built: measure, 2 of 7" in page(asked, "/").words()
    assert "its table is being built" in page(asked, f"{IN}/feature/1", 409).words()
    assert page(asked, f"{IN}/document/0").find("p", class_="running")


def test_a_port_in_use_is_one_clear_line():
    taken = listen("127.0.0.1", 0)
    taken.listen()
    port = taken.getsockname()[1]
    with pytest.raises(ConfigError, match=f"port {port} is in use: give another with --port"):
        listen("127.0.0.1", port)
    taken.close()


def test_serving_loads_no_torch(run: Path):
    code = f"""
import sys
from pathlib import Path
from starlette.testclient import TestClient
from monosema.dashboard.library import Library
from monosema.dashboard.server import application
asked = TestClient(application(Library([Path({str(run)!r})])), base_url="http://127.0.0.1")
for url in {list(SCREENS.values())!r}:
    assert asked.get(url).status_code == 200, url
assert "torch" not in sys.modules and "transformers" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
