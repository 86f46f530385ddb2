"""Building feature tables: the same bytes again, after a kill too, and what is refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from monosema.core.errors import ConfigError, DamagedError, DataError, MismatchError
from monosema.features import BuildConfig, build

from .toy_models import Numbered, Texts, blocks_of, dictionary_of
from .toy_tables import SMALL, N, contents, corpus, is_whole, made, model, one_a_token, rows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("tables"))


def test_the_same_again_is_byte_for_byte_the_same(table, tmp_path):
    assert contents(made(tmp_path)) == contents(table)


def test_a_whole_table_is_not_made_again_and_one_of_something_else_is(tmp_path):
    folder = made(tmp_path, control=False)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert made(tmp_path, control=False) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert json.loads((folder / "table.json").read_text())["findings"][0]["control_is"] == "skipped by the user"
    made(tmp_path, BuildConfig(**{**vars(SMALL), "n_examples": 2}), control=False)
    assert (folder / "examples.parquet").stat().st_mtime_ns != before[folder / "examples.parquet"]


KILLED = """
import os, signal, sys
from pathlib import Path
from monosema.core import runs
from tests.features.toy_tables import made
left, real = int(sys.argv[2]), runs.replacing
replaced = runs.Path.replace
def replace(self, target):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return replaced(self, target)
runs.Path.replace = replace
made(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("after", [3, 24, 40, 75])
def test_a_killed_build_goes_on_and_ends_in_the_same_bytes(table, tmp_path, after):
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(after)]
    ended = subprocess.run(command, cwd=Path(__file__).parents[2], env={**os.environ}, check=False, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]
    if (tmp_path / "d" / "table.json").exists():
        assert json.loads((tmp_path / "d" / "table.json").read_text())["state"] == "building"
    assert contents(made(tmp_path)) == contents(table)


def test_what_is_whole_is_not_computed_again(tmp_path, monkeypatch):
    import monosema.features.tables.building as building

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(building, "measure", stop)
        with pytest.raises(KeyboardInterrupt):
            made(tmp_path)
    manifest = json.loads((tmp_path / "d" / "table.json").read_text())
    assert manifest["state"] == "building" and manifest["n_dead"] == 1
    assert rows(tmp_path / "d" / "features.parquet")[1]["importance_attr"] is not None

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the model was run again for what is there")

    monkeypatch.setattr("monosema.features.tables.gathering._pass", never)
    made(tmp_path)


def test_a_damaged_part_is_named(tmp_path, monkeypatch):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("monosema.features.tables.building.sort_entries", stop)
        with pytest.raises(KeyboardInterrupt):
            made(tmp_path)
    part = tmp_path / "d" / ".work" / "chunk-00001.parquet"
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(DamagedError, match="chunk-00001"):
        made(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"dictionaries": {}}, ConfigError, "no dictionary to make a table of"),
        ({"dictionaries": {"w": dictionary_of(torch.eye(5), torch.eye(5))}}, MismatchError, "'w' has 5 numbers at"),
        ({"tokens": Texts(blocks_of(torch.zeros(1, 1).long()), N)}, DataError, "no usable token"),
        ({"tokens": Texts(corpus().held, 99)}, MismatchError, "vocabulary of 99; mixing takes 1,000 and 12"),
    ],
)
def test_what_cannot_be_built_says_so_and_leaves_nothing(tmp_path, arguments, error, message):
    given = {"dictionaries": {"d": one_a_token()}, "tokens": corpus()} | arguments
    with pytest.raises(error, match=message):
        build(given["dictionaries"], model(), given["tokens"], Numbered(), tmp_path / "out", SMALL)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_a_quote_and_brackets_in_its_name(tmp_path):
    folder = tmp_path / "it's [new] *"
    assert is_whole(made(folder, control=False))
    shutil.rmtree(folder)
