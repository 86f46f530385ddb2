"""The graph's screen on a real run: traced behind the page, its features changed in the model, files opened."""

import json
import threading
import time
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlencode

import pytest

from monosema.core.errors import RunError
from monosema.dashboard.explorers import Explorers
from monosema.dashboard.graph.live import ChangedValues, Intervention, Question, Tracing
from monosema.dashboard.graph.values import Graphed, GraphValues
from monosema.dashboard.graphs import KEPT, Graphs
from monosema.dashboard.library import Library
from monosema.pipeline import tracing_live
from monosema.pipeline.tracing import TracingConfig, open_ground, traced
from monosema.pipeline.tracing_changes import change_of, changed
from monosema.pipeline.tracing_page import graphed
from monosema.pipeline.workshop import RunModels

from .html import Element, read
from .served import SAME_ORIGIN, client, make

pytestmark = pytest.mark.slow
PROMPT = "the cat sat on a mat"
"""At its last token features of both layers fire."""

WHOLE = {"of": "deep/tc", "prompt": PROMPT, "nodes": "1", "edges": "1"}


@pytest.fixture(scope="module")
def asked(layered: Path):
    models = RunModels()
    return client(layered, opener=models.explorer, workshop=models)


@pytest.fixture(scope="module")
def own(layered: Path) -> Graphed:
    """The same graph, made without a server."""
    ground = open_ground(layered)
    return graphed(ground, traced(ground, PROMPT, TracingConfig(nodes=1.0, edges=1.0)))


def url(path: str = "/graph", **given: object) -> str:
    return f"{path}?{urlencode(WHOLE | given)}"


def told(asked, address: str) -> dict:
    """The twin of a page, once its graph is there."""
    for _ in range(200):
        answer = json.loads(asked.get(address.replace("/graph", "/graph.json", 1)).text)
        if answer.get("awaited") is None:
            return answer
        time.sleep(0.05)
    raise AssertionError("the graph never came")


def page(asked, address: str, status: int = 200) -> Element:
    answer = asked.get(address)
    assert answer.status_code == status, answer.text
    return read(answer.text.removeprefix("<!doctype html>"))


def strongest(values: GraphValues) -> str:
    """Before other features, so that it moves them."""
    features = [node for node in values.nodes if node.kind == "feature" and (node.layer, node.token) == (0, 6)]
    return max(features, key=lambda node: node.influence).name


def test_the_form_offers_the_sets_and_the_bar_leads_to_it(asked):
    tree = page(asked, "/graph")
    assert [option.words() for option in tree.find("select", name="of")[0].find("option")] == ["deep/tc"]
    assert ("Graph", "/graph") in [(a.words(), a.attributes["href"]) for a in page(asked, "/").find("a")]
    assert told(asked, "/graph")["graph"] is None


def test_the_screen_shows_the_graph_that_trace_writes(asked, own: Graphed):
    twin = told(asked, url())["graph"]
    assert [node["name"] for node in twin["nodes"]] == [node.name for node in own.values.nodes]
    assert [edge["weight"] for edge in twin["edges"]] == [edge.weight for edge in own.values.edges]
    tree = page(asked, url())
    assert {node.attributes["data-name"] for node in tree.find("g", class_="node")} == {
        n.name for n in own.values.nodes
    }
    links = {a.attributes["href"] for div in tree.find("div", class_="context") for a in div.find("a")}
    assert links and all(asked.get(link).status_code == 200 for link in links)
    answer = asked.get(url("/graph/neuronpedia.json"))
    assert json.loads(answer.text) == json.loads(own.document)
    few = told(asked, url(nodes="0.5", edges="0.5", targets=" dog\r\n mat", **{"from": 0, "control": "no"}))["graph"]
    assert len(few["nodes"]) < len(twin["nodes"])
    assert [node["says"] for node in few["nodes"] if node["kind"] == "logit"] == ["logit ' dog'", "logit ' mat'"]
    assert few["findings"][0]["control"] is None


@pytest.mark.parametrize(
    ("given", "status", "says"),
    [
        ({"of": "deep/tx"}, 404, "unknown set of transcoders 'deep/tx'. Did you mean 'deep/tc'?"),
        ({"nodes": "2"}, 400, "nodes is 2.0: it must be at least 0, at most 1"),
        ({"edges": "much"}, 400, "edges is 'much': it must be a number"),
        ({"control": "maybe"}, 400, "control is 'maybe'"),
        ({"prompt": "x" * 5000}, 400, "at most 4,000 are read"),
        ({"prompt": " ".join([PROMPT] * 5)}, 404, "more than the 16 of"),
        ({"targets": " xylophone"}, 404, "' xylophone' is not one token but"),
        ({"pins": "3_1_1"}, 400, "unknown key 'pins'"),
    ],
)
def test_what_cannot_be_traced_is_one_sentence_and_what_was_typed_stays(asked, given: dict, status: int, says: str):
    for _ in range(2):  # a question that failed is asked anew
        answer = asked.get(url(**given))
        while "This page asks again" in answer.text:
            answer = asked.get(url(**given))
        assert answer.status_code == status
        tree = read(answer.text.removeprefix("<!doctype html>"))
        assert says in tree.find("p", role="alert")[0].words()
        assert tree.find("textarea", id="text")[0].words().strip("\n") == (WHOLE | given)["prompt"]


def test_an_intervention_says_what_the_command_says(asked, layered: Path, own: Graphed):
    name, ground = strongest(own.values), open_ground(layered)
    graph = traced(ground, PROMPT, TracingConfig(nodes=1.0, edges=1.0))
    answer = asked.post(
        "/graph/change", data=WHOLE | {"features": name, "how": "set", "amount": "3"}, headers=SAME_ORIGIN
    )
    said, expected = json.loads(answer.text), changed(ground, graph, [change_of(name, "set", 3.0)])
    assert [row["linear"] for row in said["logits"]] == expected.linear.tolist()
    assert [row["predicted"] for row in said["logits"]] == expected.predicted.tolist()
    assert [row["random"] for row in said["logits"]] == expected.random.abs().mean(0).tolist()
    assert said["moved"] == [{"name": name, "before": expected.before[0], "after": expected.after[0]}]
    assert {row["name"] for row in said["features"]} == {n.name for n in own.values.nodes if n.kind == "feature"}
    moves = [abs(row["free"]) for row in said["features"]]
    assert moves == sorted(moves, reverse=True) and moves[0] > 0
    below = [row for row in said["features"] if int(row["name"].split("_")[2]) < int(name.split("_")[2])]
    assert below and not any(row["free"] for row in below), "nothing moves before the token that is changed"
    assert [found["name"] for found in said["findings"]] == ["effect", "prediction off patterns", "prediction off free"]
    assert all(found["control"] for found in said["findings"])


def test_the_clean_pass_is_made_once(layered: Path, own: Graphed, monkeypatch: pytest.MonkeyPatch):
    benches, name = [], strongest(own.values)
    real = tracing_live.Bench
    monkeypatch.setattr(tracing_live, "Bench", lambda *given: benches.append(given) or real(*given))
    models = RunModels()
    asked = client(layered, workshop=models)
    for how in ("ablate", "set", "scale"):
        data = WHOLE | {"features": name, "how": how, "amount": "7"}
        assert asked.post("/graph/change", data=data, headers=SAME_ORIGIN).status_code == 200
    assert len(benches) == 1


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"features": ""}, "no feature is to be changed"),
        ({"features": "0_-1_2"}, "'0_-1_2' is no feature"),
        ({"features": "5_1_2"}, "there is no layer 5"),
        ({"features": "0_1_2", "how": "double"}, "unknown change 'double'"),
        ({"features": "0_1_2", "amount": "much"}, "amount is 'much'"),
        ({"features": "0_1_2", "how": "clamp", "amount": "-1"}, "cannot be clamped to -1.0"),
    ],
)
def test_what_cannot_be_changed_is_one_sentence(asked, given: dict, says: str):
    data = WHOLE | {"how": "set", "amount": "1"} | given
    answer = asked.post("/graph/change", data=data, headers=SAME_ORIGIN)
    assert answer.status_code in (400, 404) and says in json.loads(answer.text)["error"]


def test_only_our_own_pages_set_the_model_to_work(asked):
    data = WHOLE | {"features": "0_1_2", "how": "set", "amount": "1"}
    for path in ("/graph/change", "/graph/open"):
        assert asked.post(path, data=data).status_code == 403
        assert asked.post(path, data=data, headers={"Origin": "http://evil.example"}).status_code == 403
        assert asked.get(path).status_code == 405
    large = {"content-length": str(65 * 1024 * 1024), **SAME_ORIGIN}
    assert asked.post("/graph/open", content=b"x", headers=large).status_code == 403
    assert asked.post("/graph/open", content=b"x" * 100_000, headers=SAME_ORIGIN).status_code == 500
    assert asked.post("/graph/change", content=b"x" * 100_000, headers=SAME_ORIGIN).status_code == 403


def test_a_file_is_opened_with_its_pins_and_groups(asked, own: Graphed):
    file = json.loads(own.document)
    names = [node["node_id"] for node in file["nodes"] if node["feature_type"] == "cross layer transcoder"]
    file["qParams"] |= {"pinnedIds": names[:3], "supernodes": [["a pair", *names[:2]], ["nobody", "9_9_9"]]}
    answer = asked.post("/graph/open?name=mine.json", content=json.dumps(file), headers=SAME_ORIGIN)
    address = json.loads(answer.text)["address"]
    found = told(asked, address)["graph"]
    assert (found["pins"], found["groups"]) == (names[:3], [["a pair", *names[:2]]])
    assert found["prompt"] == PROMPT and len(found["edges"]) == len(file["links"])
    assert [finding["control"] for finding in found["findings"]] == [None, None]
    tree = page(asked, address)
    assert json.loads(tree.find("svg", id="drawing")[0].attributes["data-groups"]) == [["a pair", *names[:2]]]
    assert "cannot be changed" in tree.words() and not tree.find("form", id="change")
    assert "does not hold that file any more" in page(asked, "/graph?file=0", 404).words()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"metadata": {"slug"', "mine.json is not valid JSON"),
        (b"[" * 100_000, "mine.json is not valid JSON"),
        (b"\xff\xfe", "the file is not UTF-8"),
        (b"[]", "mine.json is not a graph of Neuronpedia's"),
        (b'{"metadata": {"slug": "s"}, "nodes": [], "links": []}', "its metadata has no scan"),
    ],
)
def test_what_is_no_graph_is_one_sentence(asked, content: bytes, says: str):
    answer = asked.post("/graph/open?name=mine.json", content=content, headers=SAME_ORIGIN)
    assert answer.status_code in (409, 500) and says in json.loads(answer.text)["error"]


def test_a_run_without_tables_is_shown_and_one_without_transcoders_says_what_to_do(layered: Path, tmp_path: Path):
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("provenance.json", "config.json", "log.jsonl", "store", "corpus", "lm", "dictionaries"):
        (bare / name).symlink_to(layered / name)
    models = RunModels()
    asked = client(bare, workshop=models)
    assert asked.get("/").status_code == 200
    assert told(asked, url(of="bare/tc"))["graph"]["prompt"] == PROMPT
    assert "harvest RUN --site mlp_in" in page(client(make(tmp_path / "demo"), workshop=models), "/graph").words()
    with pytest.raises(RunError, match="has no feature tables"):
        Library([bare])


class Slow:
    """A workshop whose one graph waits until it may, and is not there for the prompt "no"."""

    def __init__(self, made: Graphed) -> None:
        self.made, self.may, self.asked = made, threading.Event(), 0

    def sets(self, run: Path) -> tuple[str, ...]:
        return ("tc",) if run.is_dir() else ()

    def tracer(self, run: Path) -> Tracing:
        assert run.is_dir()
        return self

    def read(self, name: str, text: str) -> Graphed:
        assert name and text
        return self.made

    def trace(self, question: Question) -> Graphed:
        self.asked += 1
        assert self.may.wait(20)
        if question.prompt == "no":
            raise RunError("the weights are gone")
        return self.made

    def change(self, question: Question, wanted: Intervention) -> ChangedValues:
        raise RunError(f"{question.prompt} cannot be changed by {wanted.how}")


def test_the_page_says_what_is_being_done_and_asks_again(layered: Path, own: Graphed):
    slow = Slow(own)
    asked = client(layered, workshop=slow)
    tree = page(asked, url())
    assert (
        tree.find("meta", http_equiv="refresh") and "Tracing the prompt: " in tree.find("p", role="status")[-1].words()
    )
    assert "waiting for the graph before" in page(asked, url(prompt="other")).words().lower()
    assert "is being traced" in json.loads(asked.get(url("/graph/neuronpedia.json")).text)["error"]
    slow.may.set()
    told(asked, url())
    assert page(asked, url()).find("svg", id="drawing") and slow.asked == 2


def test_the_last_graphs_are_kept_and_failures_are_not(own: Graphed, tmp_path: Path):
    slow = Slow(own)
    slow.may.set()
    graphs = Graphs(slow, Explorers())
    questions = [Question(str(i)) for i in range(KEPT + 2)]

    def ask(question: Question):
        while not isinstance(found := graphs.of(tmp_path, question), Graphed):
            pass
        return found

    for question in [*questions, questions[-1], questions[0]]:
        assert ask(question) is own
    assert slow.asked == KEPT + 3, "the last is still there, the first was made anew"
    for _ in range(2):
        with pytest.raises(RunError, match="the weights are gone"):
            ask(Question("no"))
    assert slow.asked == KEPT + 5
    keys = [graphs.opened("x", str(i)) for i in range(KEPT + 1)]
    assert graphs.file(keys[-1]) is own
    assert asdict(graphs.file(keys[1]).values) == asdict(own.values)
