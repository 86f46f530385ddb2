"""The prompt's page, its twin, its stream and its steering, on a real run; and that one thing is done at a time."""

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from monosema.core.errors import RunError
from monosema.dashboard.explorers import Explorers
from monosema.features.live import Draw, Explorer, Steer
from monosema.pipeline.exploring import open_explorer

from .html import Element, read
from .served import client, make, serving

pytestmark = pytest.mark.slow
IN = "/r/tiny/topk/prompt"
TEXT = "the cat sat on a mat"


@pytest.fixture(scope="module")
def explorer(explored: Path) -> Explorer:
    return open_explorer(explored)


@pytest.fixture(scope="module")
def asked(explored: Path, explorer: Explorer):
    return client(explored, opener=lambda _: explorer)


def url(rest: str = "", **given: object) -> str:
    return f"{IN}{rest}?{urlencode({'text': TEXT, **given})}"


def page(asked, address: str, status: int = 200) -> Element:
    answer = asked.get(address)
    assert answer.status_code == status, answer.text
    return read(answer.text.removeprefix("<!doctype html>"))


def events(text: str) -> list[tuple[str, dict]]:
    found = []
    for block in text.split("\n\n")[:-1]:
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_the_page_and_its_twin_say_what_the_model_says(asked, explorer):
    look = explorer.look("topk", TEXT, 3)
    twin = json.loads(asked.get(url(".json", at=3)).text)
    assert [t["loss"] for t in twin["look"]["tokens"]] == [t.loss for t in look.tokens]
    assert [f["feature"] for f in twin["look"]["firing"]] == [f.feature for f in look.firing] and look.firing
    assert all(0 <= f["quantile"] <= 1 for f in twin["look"]["firing"])
    tree = page(asked, url(at=3))
    tokens = tree.find("button", name="at")
    assert "".join(t.words() for t in tokens) == "<|bos|>" + TEXT
    assert [t.attributes["value"] for t in tokens if t.attributes.get("aria-current")] == ["3"]
    assert [row.attributes["data-feature"] for row in tree.find("tr") if "data-feature" in row.attributes] == [
        str(f.feature) for f in look.firing
    ]
    assert tree.find("textarea")[0].words() == "\n" + TEXT
    loss = f"loss {look.tokens[3].loss:.2f} nats"
    assert loss in tokens[3].attributes["data-says"]


def test_the_beginning_of_the_text_is_not_read(asked):
    words = page(asked, url(at=0)).words()
    assert "Nothing is read here: the token begins the text." in words and "No feature fires" not in words


def test_a_chosen_feature_shades_the_tokens_where_it_fires(asked, explorer):
    feature = explorer.look("topk", TEXT, 3).firing[0].feature
    acts = [token.act > 0 for token in explorer.look("topk", TEXT, feature=feature).tokens]
    tokens = page(asked, url(at=3, feature=feature, exact=20)).find("button", name="at")
    shaded = [any(name[0] == "a" and name[1:].isdigit() for name in t.attributes["class"].split()) for t in tokens]
    assert shaded == acts and any(acts) and not all(acts)


def test_without_a_script_the_exact_effects_are_a_button_away(asked, explorer):
    assert page(asked, url(at=3)).find("noscript")[0].find("input", name="exact")
    tree = page(asked, url(at=3, exact=20))
    assert "data-stream" not in tree.find("section", id="firing")[0].attributes
    totals = [cell.words() for cell in tree.find("td", class_="total")]
    effects = list(explorer.ablations("topk", TEXT, 3))
    assert len(totals) == len(effects) and all(totals)
    assert [json.loads(asked.get(url(".json", at=3, exact=20)).text)["exact"][i]["total"] for i in range(2)] == [
        effect.total for effect in effects[:2]
    ]


def test_the_stream_gives_one_feature_after_the_other_and_an_end(asked, explorer):
    answer = asked.get(url("/effects", at=3))
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
    found, expected = events(answer.text), list(explorer.ablations("topk", TEXT, 3))
    assert [name for name, _ in found] == ["effect"] * len(expected) + ["end"] and len(expected) == 4
    for (_, event), effect in zip(found, expected, strict=False):
        row = event["row"]
        assert (row["feature"], row["rank"], row["n"]) == (effect.feature, effect.rank, 4)
        assert (row["total"], row["direct"], row["random_total"]) == (effect.total, effect.direct, effect.random_total)
        assert len(event["pieces"]) == len(effect.tokens) and any("a" in names for names in event["pieces"])
        assert event["shown"]["css"] == ("helps" if effect.total > 0 else "hurts")
    assert found[-1][1] == {"n": 4}
    assert events(asked.get(url("/effects", at=3, exact=2)).text)[-1] == ("end", {"n": 2})


def test_steering_has_its_own_answer(asked, explorer):
    feature = explorer.look("topk", TEXT).firing[0].feature
    given = {"feature": feature, "how": "set", "value": 8, "tokens": 4, "temperature": "0.5", "seed": 7}
    found = json.loads(asked.get(url("/steer.json", **given)).text)
    expected = explorer.steered("topk", TEXT, None, Steer(feature, "set", 8.0), Draw(4, 0.5, 7))
    assert (found["loss"], found["random_loss"]) == (expected.loss, expected.random_loss)
    assert found["samples"]["steered"]["ids"] == list(expected.samples.steered.ids)
    tree = page(asked, url(**given))
    assert f"Feature {feature} set to 8 at 6 of 6 tokens" in " ".join(tree.words().split())
    assert len(tree.find("dl", class_="samples")[0].find("dd")) == 3
    assert tree.find("input", name="value")[0].attributes["value"] == "8"
    silent = next(f for f in range(32) if not any(t.act for t in explorer.look("topk", TEXT, feature=f).tokens))
    words = page(asked, url(feature=silent, how="scale", value=3, tokens=0)).words()
    assert f"feature {silent} fires nowhere in this prompt" in words


@pytest.mark.parametrize(
    ("given", "status", "says"),
    [
        ({"text": "cat " * 20}, 400, "at most 15 fit (the model's context of 16, one of them the BOS)"),
        ({"text": "x" * 4001}, 400, "the prompt has 4,001 characters: give at most 4,000"),
        ({"at": 99}, 400, "at is 99: this prompt has positions 0 to"),
        ({"at": "x"}, 400, "at is 'x': it must be a whole number"),
        ({"feature": 32}, 400, "there is no feature 32: this dictionary has 0 to 31"),
        ({"order": "act_"}, 400, "unknown order 'act_'. Did you mean 'act'?"),
        ({"feature": 1, "how": "set", "value": "much"}, 400, "value is 'much': it must be a number"),
        ({"how": "set", "value": 1}, 400, "which feature is to be changed is not said"),
        ({"feature": 1, "how": "add", "value": 1}, 400, "unknown change 'add'. Known: clamp, scale, set"),
        ({"feature": 1, "how": "set", "value": 1, "tokens": 1000}, 400, "tokens is 1000: it must be at least 0"),
        ({"exact": 1000}, 400, "n is 1000: it must be 1 to 100"),
        ({"colour": "red"}, 400, "unknown key 'colour'"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_and_what_was_typed_is_kept(asked, given, status, says):
    tree = page(asked, url(**given), status)
    assert says in tree.find("p", role="alert")[0].words()
    assert tree.find("textarea")[0].words() == "\n" + given.get("text", TEXT)
    answer = asked.get(url(".json", **given))
    assert answer.status_code == status and says in json.loads(answer.text)["error"]
    if "how" not in given:
        answer = asked.get(url("/effects", **given))
        assert answer.status_code == status and says in json.loads(answer.text)["error"]


def test_a_prompt_is_text(asked):
    answer = asked.get(url(text="<script>al(1"))
    assert "<script>a" not in answer.text and "&lt;script&gt;" in answer.text
    tree = page(asked, url(text='" onx=1 >'))
    assert tree.find("textarea")[0].words() == '\n" onx=1 >'
    assert not [e for e in tree.find("") for name in e.attributes if name.startswith("on")]
    assert json.loads(asked.get(url(".json", text="a\r\nb")).text)["text"] == "a\nb"


def test_no_prompt_opens_no_model(explored: Path):
    code = f"""
import sys
from pathlib import Path
from starlette.testclient import TestClient
from monosema.dashboard.library import Library
from monosema.dashboard.server import application
from monosema.pipeline.workshop import RunModels
models = RunModels()
library = Library([Path({str(explored)!r})], models.explorer, models)
asked = TestClient(application(library), base_url="http://127.0.0.1")
for url in ("/", "/graph", "/r/tiny/topk/features", "/r/tiny/topk/prompt", "/r/tiny/topk/prompt.json"):
    assert asked.get(url).status_code == 200, url
assert "torch" not in sys.modules
assert asked.get("/r/tiny/topk/prompt?text=cat").status_code == 200
assert "torch" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_model_that_has_gone_is_one_sentence_and_the_other_pages_do_without_it(explored: Path, tmp_path: Path):
    run = Path(shutil.copytree(explored, tmp_path / "tiny"))
    (run / "lm").rename(run / "elsewhere")
    found = client(run, opener=open_explorer)
    words = page(found, url(), 409).find("p", role="alert")[0].words()
    assert words.startswith(f"the model of {run} is not at {run}/lm any more: put it back there")
    assert found.get("/r/tiny/topk/features").status_code == 200
    (run / "elsewhere").rename(run / "lm")
    assert found.get(url()).status_code == 200


def test_a_table_of_other_weights_is_refused(explored: Path, tmp_path: Path):
    run = Path(shutil.copytree(explored, tmp_path / "tiny"))
    shutil.rmtree(run / "dictionaries" / "topk")
    shutil.copytree(run / "dictionaries" / "l1", run / "dictionaries" / "topk")
    assert "the table of 'topk' is of other weights" in page(client(run, opener=open_explorer), url(), 409).words()


def test_a_server_without_models_says_so(tmp_path: Path):
    answer = client(make(tmp_path / "demo")).get("/r/demo/l1/prompt?text=a")
    assert answer.status_code == 409 and "this server was started without the models of its runs" in answer.text


class Slow:
    """An explorer that waits before each effect until it may go on, and notes when it is asked."""

    def __init__(self, inner: Explorer) -> None:
        self.inner, self.may, self.asked = inner, threading.Semaphore(0), []

    def look(self, *given):
        return self.inner.look(*given)

    def steered(self, *given):
        return self.inner.steered(*given)

    def ablations(self, *given) -> Iterator:
        for effect in self.inner.ablations(*given):
            self.asked.append(effect.feature)
            self.may.acquire()
            yield effect


def test_when_the_browser_goes_away_the_computing_stops_before_the_next_feature(explored: Path, explorer: Explorer):
    slow = Slow(explorer)
    with serving(explored, opener=lambda _: slow) as base:
        host, port = base.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            request = f"GET {url('/effects', at=3)} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
            connection.sendall(request.encode())
            slow.may.release()
            received = b""
            while b"event: effect" not in received:
                piece = connection.recv(65536)
                assert piece, received
                received += piece
        # The second is being computed: it is the last, although there are four and all may go on.
        wait_for(lambda: len(slow.asked) == 2)
        time.sleep(0.3)
        for _ in range(10):
            slow.may.release()
        time.sleep(1.0)
        assert len(slow.asked) == 2
        # The model is free again.
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(f"GET {url('.json')} HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n".encode())
            assert b" 200 " in connection.recv(100)


def wait_for(holds) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_one_question_at_a_time_and_a_long_wait_is_told(explored: Path, explorer: Explorer):
    opened = []

    def opener(path: Path) -> Explorer:
        opened.append(path)
        return explorer

    explorers, inside = Explorers(opener, patience=0.05), threading.Event()
    leave, overlapping = threading.Event(), []

    def hold() -> None:
        with explorers.using(explored) as found:
            overlapping.append(found is explorer)
            inside.set()
            leave.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(20)
    with pytest.raises(RunError, match="the model is at work on another question"), explorers.using(explored):
        overlapping.append(False)
    with explorers.using(explored / "other"):
        pass
    leave.set()
    holder.join()
    with explorers.using(explored) as found:
        assert found is explorer
    assert overlapping == [True] and opened == [explored, explored / "other"]
