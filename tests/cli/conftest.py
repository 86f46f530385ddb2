"""A whole run, made once, and copies of it to be spoilt."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from monosema.cli import main

from .tiny import stages, write_texts


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_texts(tmp_path_factory.mktemp("text") / "texts")


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, texts: Path) -> Path:
    """A run through every stage before the page. To be read only: see `copied`."""
    run = tmp_path_factory.mktemp("whole") / "run"
    for command in stages(run, texts)[:-1]:
        assert main(command) == 0
    return run


@pytest.fixture
def copied(whole: Path, tmp_path: Path) -> Path:
    """A copy of the whole run, to be spoilt."""
    return Path(shutil.copytree(whole, tmp_path / "run"))


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must end with exit status 2 and one line; the line."""

    def run(*words: str) -> str:
        capsys.readouterr()
        assert main(words) == 2
        out, err = capsys.readouterr()
        lines = [line for line in err.splitlines() if line.startswith("monosema: ")]
        assert len(lines) == 1 and err.splitlines()[-1] == lines[0] and not out
        return lines[0]

    return run
