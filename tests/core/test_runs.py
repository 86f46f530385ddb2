import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from monosema.core.errors import DamagedError, RunError
from monosema.core.runs import open_run, read_json, replacing, write_json, write_text

CONFIG = {"k": 32}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run"


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


# Files, whole or not at all


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path):
    write_text(tmp_path / "new" / "a.txt", "old")
    write_text(tmp_path / "new" / "a.txt", "né")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "né".encode()
    assert names(tmp_path / "new") == {"a.txt"}


def test_an_error_in_the_middle_leaves_the_old_file(tmp_path: Path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("half of the n")
        raise ZeroDivisionError
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == {"a.txt"}


def test_a_kill_between_write_and_rename_leaves_the_old_file(tmp_path: Path):
    write_text(tmp_path / "a.txt", "old")
    script = """
import os, signal, sys
from pathlib import Path
from monosema.core.runs import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("new")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "a.txt")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_number_that_is_not_finite_is_not_json_and_changes_nothing(tmp_path: Path):
    write_json(tmp_path / "a.json", {"loss": 1.5})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert read_json(tmp_path / "a.json") == {"loss": 1.5}


def test_a_full_disk_is_an_error_of_the_users(tmp_path: Path):
    with pytest.raises(RunError, match=r"no space left for .*a\.txt: free some"), replacing(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_other_errors_of_the_system_keep_their_name(tmp_path: Path):
    with pytest.raises(PermissionError), replacing(tmp_path / "a.txt"):
        raise PermissionError(errno.EACCES, "no")


def test_what_was_never_written_and_what_was_cut_are_told_apart(tmp_path: Path):
    with pytest.raises(RunError, match="does not exist"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text('{"k": 3')
    with pytest.raises(DamagedError, match="it was edited or cut"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_bytes(b'"\xff"')
    with pytest.raises(DamagedError):
        read_json(tmp_path / "a.json")


# Stages


def test_a_stage_from_begin_to_finish(path: Path):
    run = open_run(path, create=True)
    run.begin("harvest", CONFIG, {"model": "3f9c"}, seed=7)
    assert run.config("harvest") == CONFIG
    assert run.require("harvest", finished=False)["finished"] is None

    run.finish("harvest", {"store": "81aa"})
    stage = open_run(path).require("harvest")
    assert (stage["seed"], stage["inputs"], stage["outputs"]) == (7, {"model": "3f9c"}, {"store": "81aa"})
    assert {"python", "packages", "machine", "command", "started"} < set(stage)
    assert [entry["event"] for entry in run.entries("harvest")] == ["begin", "finish"]


def test_stages_share_a_folder_and_keep_their_own_settings(path: Path):
    run = open_run(path, create=True)
    for stage in ("harvest", "train"):
        run.begin(stage, {"of": stage}, {}, seed=0)
        run.finish(stage, {})
    assert list(run.stages()) == ["harvest", "train"]
    assert (run.config("harvest"), run.config("train")) == ({"of": "harvest"}, {"of": "train"})


def test_a_stage_that_is_missing_names_the_command_that_makes_it(path: Path):
    run = open_run(path, create=True)
    with pytest.raises(RunError, match=r"has no 'train' yet \(it holds nothing\): run `monosema train` first"):
        run.require("train")
    run.begin("harvest", CONFIG, {}, seed=0)
    with pytest.raises(RunError, match=r"it holds harvest"):
        run.config("train")


def test_a_stage_that_was_interrupted_says_how_to_go_on(path: Path):
    run = open_run(path, create=True)
    run.begin("train", CONFIG, {}, seed=0)
    with pytest.raises(
        RunError, match=r"'train' in .* was interrupted: repeat the same `monosema train` command, it resumes"
    ):
        run.require("train")


def test_a_stage_begun_again_is_unfinished_again(path: Path):
    run = open_run(path, create=True)
    for _ in range(2):
        run.begin("train", CONFIG, {}, seed=0)
        assert run.stages()["train"]["finished"] is None
        run.finish("train", {})


@pytest.mark.parametrize("stop_at", ["provenance.json", "config.json"])
def test_a_kill_while_a_stage_begins_leaves_a_folder_that_can_begin_again(path: Path, stop_at: str):
    script = """
import os, signal, sys
from pathlib import Path
from monosema.core import runs
path, stop_at = sys.argv[1:]
rename = Path.replace
def kill_at(temporary, target):
    if target.name == stop_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(temporary, target)
Path.replace = kill_at
runs.open_run(path, create=True).begin("train", {"k": 32}, {}, seed=0)
"""
    done = subprocess.run([sys.executable, "-c", script, str(path), stop_at], check=False)
    assert done.returncode == -signal.SIGKILL
    run = open_run(path, create=True)
    with pytest.raises(RunError):
        run.config("train")
    run.begin("train", CONFIG, {}, seed=0)
    assert run.config("train") == CONFIG


# The log


def test_the_log_is_one_object_a_line(path: Path):
    run = open_run(path, create=True)
    run.log("train", step=1, loss=0.5)
    run.log("score", step=1)
    run.log("train", step=2, loss={"mse": float("nan")}, all=[float("-inf")])
    entries = [json.loads(line) for line in (path / "log.jsonl").read_text().splitlines()]
    assert [(e["stage"], e["step"]) for e in entries] == [("train", 1), ("score", 1), ("train", 2)]
    assert [e.get("loss") for e in run.entries("train")] == [0.5, {"mse": "nan"}]
    assert entries[2]["all"] == ["-inf"]


def test_a_line_cut_by_a_kill_is_dropped_and_the_next_one_is_whole(path: Path):
    run = open_run(path, create=True)
    run.log("train", step=1)
    with (path / "log.jsonl").open("a") as file:
        file.write('{"time": "2026-01-01T00:00:00Z", "stage": "tra')
    assert [e["step"] for e in run.entries("train")] == [1]
    run.log("train", step=2)
    assert [e["step"] for e in run.entries("train")] == [1, 2]


def test_a_line_that_was_edited_is_found(path: Path):
    run = open_run(path, create=True)
    (path / "log.jsonl").write_text("step one\n")
    with pytest.raises(DamagedError, match="a line that is not JSON"):
        run.entries("train")


def test_a_run_without_a_log_has_no_entries(path: Path):
    assert open_run(path, create=True).entries("train") == []


# Which folders are runs


def test_a_folder_with_other_things_is_not_touched(path: Path):
    path.mkdir()
    (path / "thesis.tex").write_text("x")
    with pytest.raises(RunError, match="holds other things"):
        open_run(path, create=True)
    assert names(path) == {"thesis.tex"}


def test_a_file_is_not_a_run(path: Path):
    path.write_text("x")
    with pytest.raises(RunError, match="is a file: give a folder"):
        open_run(path, create=True)


def test_only_create_makes_a_folder(path: Path):
    with pytest.raises(RunError, match="is not a run directory"):
        open_run(path)
    assert not path.exists()
    assert open_run(str(path), create=True).path.is_dir()
