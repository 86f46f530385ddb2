"""Workers side by side: they train on what all see, wait for their turn, and die in one line."""

from pathlib import Path

import pytest

from benchmarks.activations import Files, prepare
from benchmarks.contenders import CONTENDERS, OURS, Contender
from benchmarks.processes import Worker, WorkerError, task_of
from benchmarks.race import Race

NUMBERS = {"n_features": 64, "k": 4, "batch": 32, "steps": 6, "seed": 0, "threads": 1}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return prepare(tmp_path, 128, 64, 16, seed=0)


@pytest.mark.slow
def test_a_worker_answers_what_it_was_asked(files: Files):
    worker = Worker(CONTENDERS["dense"], task_of(CONTENDERS["dense"], files.rows, files.held_out, d_in=16, **NUMBERS))
    try:
        assert worker.ready().keys() == {"torch"}
        first, second = worker.go(20), worker.go(80)
        assert 0 < first["seconds"] < second["seconds"]
        assert second["idle"] < 0.5
        score = worker.finish()
    finally:
        worker.close()
    assert score["l0"] == 4.0
    assert score["nmse"] < 0.8 * untrained(files)


def untrained(files: Files) -> float:
    with Race(files, NUMBERS) as race:
        race.enter(CONTENDERS["dense"], 0)
        race.finish()
    nmse = race.records["dense"].score["nmse"]
    assert nmse is not None
    return nmse


@pytest.mark.slow
def test_one_that_dies_is_named_with_its_last_words_and_the_others_go_on(
    files: Files, capsys: pytest.CaptureFixture[str]
):
    dying = Contender("dying", OURS, "floor", None, {"dtype": "float12"})
    with Race(files, NUMBERS) as race:
        race.enter(dying, 1)
        race.enter(CONTENDERS["floor_f32"], 1)
        race.round(2)
        race.finish()
    assert race.failures == ["dying died (exit status 1): KeyError: 'float12'"]
    assert "dying died (exit status 1): KeyError: 'float12'\n" in capsys.readouterr().err
    assert race.records.keys() == {"floor_f32"}
    assert len(race.records["floor_f32"].speeds) == 1


@pytest.mark.slow
def test_a_command_to_the_dead_says_why_they_died(files: Files):
    contender = CONTENDERS["floor_f32"]
    task = task_of(contender, files.rows, files.held_out, d_in=16, **{**NUMBERS, "batch": 10**6})
    worker = Worker(contender, task)
    try:
        worker.ready()
        with pytest.raises(WorkerError, match=r"^floor_f32 died \(exit status 1\): ZeroDivisionError"):
            worker.go(1)
    finally:
        worker.close()
