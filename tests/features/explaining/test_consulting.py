"""An endpoint as explainer and judge, against a server on this machine that follows a script."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monosema.features.explaining.answers import Answers
from monosema.features.explaining.client import EndpointError
from monosema.features.explaining.config import EndpointConfig, ExplainConfig
from monosema.features.explaining.explaining import Explaining

from ..toy_tables import rows
from .scripted import Guesses, agrees, kind_of, understands
from .server import Wrong, serving

pytestmark = pytest.mark.slow
FEATURES = (4, 5, 6, 7)
CONFIG = ExplainConfig(features=FEATURES, n_control=4, n_least=3)
ALL = ("detection", "fuzzing", "intruder", "simulation", "embedding")


def explaining(table, server, control=None, scores=("detection", "fuzzing"), config=CONFIG, **settings) -> Explaining:
    endpoint = EndpointConfig(server.url, "llm", scores, tries=2, concurrency=4, timeout=2.0, **settings)
    return Explaining(table, config, control, endpoint, table.parent / "answers.jsonl", wait=lambda _: None)


def scores_of(table: Path) -> dict[tuple[int, str], dict]:
    found = rows(table / "explanation_scores.parquet", "WHERE explainer = 'llm'")
    return {(row["feature"], row["score"]): row for row in found}


def test_who_understands_scores_one(table, control):
    with serving(understands) as server:
        found = explaining(table, server, control, ALL).run()
    lines = {line.score: line for line in found.lines if line.explainer == "llm"}
    for score in ("detection", "detection_auc", "fuzzing", "simulation", "embedding"):
        assert lines[score].finding.value == lines[score].finding.control == 1.0, score
        assert lines[score].shuffled < 0.8 and (lines[score].n_shuffled, lines[score].n_control) == (4, 4)
    assert lines["intruder"].n_shuffled == 0  # no explanation to exchange
    texts = rows(table / "explanations.parquet", "WHERE explainer = 'llm' ORDER BY feature")
    assert [row["text"] for row in texts] == [f"the number {feature}" for feature in FEATURES]
    assert all(row["margin"] == 0.0 for (_, score), row in scores_of(table).items() if score == "detection")


def test_the_intruder_is_counted_from_one(table):
    def always_first(body):
        return '{"window": 1}' if kind_of(body) == "intruder" else understands(body)

    with serving(always_first) as server:
        one = explaining(table, server, scores=("intruder",))
        one.run()
    found = scores_of(table)
    for drawn in one.trained.drawn:
        first = [odd.at == 0 for odd in drawn.odd]
        assert found[drawn.feature, "intruder"]["value"] == pytest.approx(sum(first) / len(first))


def test_who_always_agrees_scores_a_half_exactly(table):
    with serving(agrees) as server:
        explaining(table, server).run()
    for row in scores_of(table).values():
        assert row["value"] == 0.5, row["score"]


def test_who_guesses_scores_about_a_half(table):
    with serving(Guesses()) as server:
        explaining(table, server).run()
    for score in ("detection", "detection_auc", "fuzzing"):
        values = [row["value"] for (_, name), row in scores_of(table).items() if name == score]
        assert sum(values) / len(values) == pytest.approx(0.5, abs=0.12)


def test_the_estimate_is_what_is_asked(table, control):
    with serving(understands) as server:
        one = explaining(table, server, control, ALL, n_control=2)
        estimate = one.estimate()
        assert not server.bodies  # to be shown first
        found = one.run()
        assert found.asked.spent.calls == estimate.total.calls == len(server.bodies)
        assert found.asked.spent.prompt_tokens == 100 * len(server.bodies)
        actual = sum(len(m["content"]) for body in server.bodies for m in body["messages"])
        assert estimate.total.prompt_tokens == pytest.approx(actual / 3.5, rel=0.3)
        assert estimate.parts["trained: explain"].calls == 4 and estimate.parts["control: explain"].calls == 2
        again = explaining(table, server, control, ALL, n_control=2)
        assert again.estimate().total.calls == 0 and again.estimate().n_answered == estimate.total.calls
        assert again.run().asked.spent.calls == 0 and len(server.bodies) == estimate.total.calls
    assert "embedding" not in estimate.parts  # by words: no call


def test_embeddings_of_the_endpoint(table):
    def embed(text: str) -> list[float]:
        return [1.0 + ("4" in text.split()), 1.0]

    config = ExplainConfig(features=(4,), n_least=3)
    with serving(understands, embed) as server:
        one = explaining(table, server, None, ("embedding",), config, embedding="vectors")
        assert one.estimate().total.calls == 2
        assert one.run().asked.spent.calls == 2 and server.paths[-1] == "/v1/embeddings"
    assert scores_of(table)[4, "embedding"]["value"] == 1.0


def broken_for(feature: int, kind: str, wrong):
    """Understands all but what is asked of one kind about one feature."""

    def say(body):
        about = understands(body) if kind_of(body) == "explain" else body["messages"][1]["content"]
        return wrong if kind_of(body) == kind and f"the number {feature}" in about else understands(body)

    return say


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("It fires on numbers.", "3 answers could not be used, the last because it holds no JSON object"),
        (Wrong(500), "status 500, 2 times"),
        (Wrong(400, "too long"), "status 400: too long"),
    ],
)
def test_a_feature_that_fails_is_said_to_have_failed_and_can_be_asked_again_alone(table, wrong, reason):
    with serving(broken_for(5, "explain", wrong)) as server:
        found = explaining(table, server).run()
    texts = {row["feature"]: row for row in rows(table / "explanations.parquet", "WHERE explainer = 'llm'")}
    assert texts[5]["state"] == "failed" and texts[5]["text"] == "" and reason in texts[5]["reason"]
    for (feature, _), row in scores_of(table).items():
        assert (row["value"], row["state"]) == ((None, "failed") if feature == 5 else (1.0, "done"))
        assert (reason in row["reason"]) == (feature == 5)
    lines = {line.score: line for line in found.lines if line.explainer == "llm"}
    assert found.asked.n_failed == 1 and lines["detection"].n_failed == 1
    assert lines["detection"].finding.value == 1.0 and lines["detection"].finding.n == 3
    with serving(understands) as server:
        config = ExplainConfig(features=(5,), n_least=3)
        explaining(table, server, config=config).run()
        assert len(server.bodies) == explaining(table, server, config=config).estimate().n_answered
    assert {row["value"] for row in scores_of(table).values()} == {1.0}


def test_one_question_that_fails_fails_that_score_alone(table):
    with serving(broken_for(6, "fuzzing", "no")) as server:
        explaining(table, server).run()
    found = scores_of(table)
    assert found[6, "fuzzing"]["state"] == "failed" and found[6, "fuzzing"]["value"] is None
    assert "questions failed: 3 answers could not be used" in found[6, "fuzzing"]["reason"]
    assert found[6, "detection"]["value"] == found[5, "fuzzing"]["value"] == 1.0


def test_an_answer_that_cannot_be_read_is_asked_again_with_the_reason(table):
    seen: list[int] = []

    def say(body):
        seen.append(len(body["messages"]))
        return understands(body) if len(body["messages"]) > 2 or kind_of(body) != "explain" else '{"ratings": []}'

    with serving(say) as server:
        found = explaining(table, server, config=ExplainConfig(features=(4,), n_least=3)).run()
    assert seen[:2] == [2, 4] and "no JSON object with 'explanation'" in server.bodies[1]["messages"][3]["content"]
    assert found.asked.spent.calls == found.estimate.total.calls + 1 and found.asked.n_failed == 0


def test_an_endpoint_that_cannot_be_used_ends_the_command_and_keeps_what_there_is(table):
    left = [10]

    def say(body):
        left[0] -= 1
        return Wrong(401, "expired") if left[0] < 0 else understands(body)

    with serving(say) as server, pytest.raises(EndpointError, match="refused the key"):
        explaining(table, server).run()
    assert not (table / "explanations.json").exists()
    assert len(Answers(table.parent / "answers.jsonl")) == 10
    with serving(understands) as server:
        one = explaining(table, server)
        assert one.estimate().n_answered == 10
        one.run()
        assert len(server.bodies) == one.estimate().n_answered - 10


def test_neither_key_nor_prompt_is_on_the_disk(table, monkeypatch):
    monkeypatch.setenv("MONOSEMA_API_KEY", "sk-very-secret")
    with serving(understands) as server:
        explaining(table, server).run()
    assert set(server.authorizations) == {"Bearer sk-very-secret"}
    for path in table.parent.rglob("*"):
        assert not path.is_file() or b"very-secret" not in path.read_bytes()


def test_a_line_that_a_kill_cut_is_dropped(table):
    path = table.parent / "answers.jsonl"
    with serving(understands) as server:
        total = explaining(table, server).run().asked.spent.calls
        path.write_bytes(path.read_bytes()[:-7])
        assert explaining(table, server).run().asked.spent.calls == 1
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == len({line["key"] for line in lines}) == total


KILLED = """
import sys
from pathlib import Path
from monosema.features.explaining.config import EndpointConfig, ExplainConfig
from monosema.features.explaining.explaining import Explaining
table, url = Path(sys.argv[1]), sys.argv[2]
endpoint = EndpointConfig(url, "llm", concurrency=4)
config = ExplainConfig(features=(4, 5, 6, 7), n_control=4, n_least=3)
Explaining(table, config, None, endpoint, table.parent / "answers.jsonl").run()
"""


def test_killed_midway_it_goes_on_and_asks_nothing_twice(table):
    answers = table.parent / "answers.jsonl"

    def slowly(body):
        time.sleep(0.05)
        return understands(body)

    with serving(slowly) as server:
        child = subprocess.Popen([sys.executable, "-c", KILLED, str(table), server.url], stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while len(server.bodies) < 15 and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        time.sleep(0.2)  # what was under way comes to its end
        before, kept = len(server.bodies), answers.read_bytes()
        whole = kept.count(b"\n")
        assert whole > 0 and not (table / "explanations.json").exists()
        one = explaining(table, server)
        assert one.estimate().n_answered == whole
        one.run()
        assert len(server.bodies) - before == one.estimate().n_answered - whole
    assert answers.read_bytes().startswith(kept[: kept.rfind(b"\n") + 1])
    keys = [json.loads(line)["key"] for line in answers.read_text().splitlines()]
    assert len(keys) == len(set(keys))
    assert {row["value"] for row in scores_of(table).values()} == {1.0}
