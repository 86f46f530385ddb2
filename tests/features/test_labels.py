"""Nothing that somebody said of a feature is lost: to another process, to a kill, to a new table."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monosema.core.errors import ConfigError, DamagedError
from monosema.features.labels import Agreement, Label, LabelStore, agreement

D, F = "topk", "0" * 16


def label(feature: int, text: str = "", rater: str = "ann", rating: int | None = None) -> Label:
    return Label(D, F, feature, rater, text, rating=rating)


WRITER = """
import sys
from monosema.features.labels import Label, LabelStore
store, rater, n = LabelStore(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for i in range(n):
    store.add(Label("topk", "0" * 16, i, rater, f"{rater} {i}"))
    print(i, flush=True)
"""


def writer(path: Path, rater: str, n: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), rater, str(n)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_two_processes_that_label_at_once_lose_nothing(tmp_path: Path):
    path, n = tmp_path / "labels.sqlite", 60
    processes = [writer(path, rater, n) for rater in ("ann", "bob", "cho")]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    for process in processes:
        assert process.stdout is not None
        process.stdout.close()
    found = LabelStore(path).latest(D, F)
    assert {(x.rater, x.feature, x.label) for x in found} == {
        (r, i, f"{r} {i}") for r in ("ann", "bob", "cho") for i in range(n)
    }


@pytest.mark.slow
def test_a_killed_process_loses_nothing_it_had_said(tmp_path: Path):
    path = tmp_path / "labels.sqlite"
    process = writer(path, "ann", 100_000)
    assert process.stdout is not None
    said = [int(process.stdout.readline()) for _ in range(20)]
    process.send_signal(signal.SIGKILL)
    said += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    process.wait(60)
    process.stdout.close()
    kept = {x.feature for x in LabelStore(path).latest(D, F)}
    assert set(said) <= kept and len(kept) - len(said) <= 1
    LabelStore(path).add(label(999_999, "after"))
    assert 999_999 in LabelStore(path).current(D, F)


def test_the_latest_word_of_each_rater_counts_and_the_newest_is_shown(tmp_path: Path):
    store = LabelStore(tmp_path / "labels.sqlite")
    assert store.current(D, F) == {} and not store.path.exists(), "looking makes no file"
    for said in (label(1, "old"), label(1, "from bob", "bob"), label(1, "new"), label(2, "two"), label(2, "")):
        store.add(said)
    assert [(x.rater, x.label) for x in store.of_feature(D, F, 1)] == [("ann", "new"), ("bob", "from bob")]
    assert store.current(D, F) == {1: "new"}
    assert store.current(D, "1" * 16) == {} == store.current("other", F), "labels belong to one dictionary's weights"


def test_lists_and_views(tmp_path: Path):
    store = LabelStore(tmp_path / "labels.sqlite")
    for feature, member in ((3, True), (1, True), (3, False), (7, True)):
        store.put("odd ones", D, feature, member=member)
    assert store.lists(D) == {"odd ones": (1, 7)} and store.lists("other") == {}
    store.save_view("dense", D, "kind=dense")
    store.save_view("a", D, "q=a")
    store.save_view("dense", D, "kind=dense&page=2")
    assert [(view.name, view.query) for view in store.views(D)] == [("a", "q=a"), ("dense", "kind=dense&page=2")]


def test_everything_ever_said_is_exported(tmp_path: Path):
    store = LabelStore(tmp_path / "labels.sqlite")
    nasty = '</script>\n"é\u202e'
    store.add(label(1, "first"))
    store.add(Label(D, F, 1, "ann", nasty, comment="line\nline", rating=4))
    store.put("list", D, 1, member=True)
    store.save_view("view", D, "")
    store.to_jsonl(tmp_path / "labels.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["kind"] for row in rows] == ["label", "label", "list", "view"]
    assert (rows[0]["label"], rows[1]["label"], rows[1]["rating"], rows[1]["comment"]) == (
        "first",
        nasty,
        4,
        "line\nline",
    )


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"rater": ""}, "1 to 60"),
        ({"rating": 6}, "1 to 5"),
        ({"feature": -1}, "at least 0"),
        ({"label": "x" * 501}, "at most 500"),
    ],
)
def test_what_cannot_be_a_label_is_said(wrong: dict[str, object], says: str):
    with pytest.raises(ConfigError, match=says):
        Label(**{"dictionary": D, "fingerprint": F, "feature": 1, "rater": "ann", **wrong})  # type: ignore[arg-type]


def test_a_file_that_is_no_database_is_named(tmp_path: Path):
    (tmp_path / "labels.sqlite").write_text("not a database, " * 100)
    with pytest.raises(DamagedError, match=r"labels\.sqlite cannot be used"):
        LabelStore(tmp_path / "labels.sqlite").current(D, F)


def test_agreement_by_hand():
    # Two raters, values 1 1 / 1 2 / 5 5: observed (2 * 1) / 6; expected over all pairs of 1 1 1 2 5 5.
    found = agreement({0: {"a": 1, "b": 1}, 1: {"a": 1, "b": 2}, 2: {"a": 5, "b": 5}, 3: {"a": 4}})
    values = [1, 1, 1, 2, 5, 5]
    apart = [(x - y) ** 2 for i, x in enumerate(values) for j, y in enumerate(values) if i != j]
    assert (found.n_features, found.n_raters) == (3, 2)
    assert found.exact == pytest.approx(2 / 3)
    assert found.alpha == pytest.approx(1 - (2 / 6) / (sum(apart) / 30))


def test_agreement_is_one_for_equal_raters_and_near_zero_for_chance():
    import random

    rng = random.Random(0)
    same = {i: {"a": (r := rng.randint(1, 5)), "b": r} for i in range(300)}
    chance = {i: {"a": rng.randint(1, 5), "b": rng.randint(1, 5)} for i in range(300)}
    assert agreement(same).alpha == 1
    found = agreement(chance).alpha
    assert found is not None and abs(found) < 0.12
    assert agreement({0: {"a": 1}}) == Agreement(0, 0, None, None)
    assert agreement({0: {"a": 3, "b": 3}}).alpha is None, "ratings that differ nowhere tell nothing"


def test_reading_waits_for_nobody(tmp_path: Path):
    import sqlite3
    from contextlib import closing

    store = LabelStore(tmp_path / "labels.sqlite")
    store.add(label(1, "kept"))
    with closing(sqlite3.connect(store.path)) as writing:
        writing.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        assert store.current(D, F) == {1: "kept"}
        assert time.monotonic() - started < 5
