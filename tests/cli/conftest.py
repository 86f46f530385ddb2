"""A whole run, made once, and copies of it to be spoilt."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from monosema.cli import main

from .tiny import LM, PROMPT, TRANSCODERS, WHOLE, stages, write_texts


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


@pytest.fixture(scope="session")
def layered(tmp_path_factory: pytest.TempPathFactory, texts: Path) -> Path:
    """A run with a transcoder of each of its two layers. To be read only."""
    run = tmp_path_factory.mktemp("layered") / "run"
    assert main(["lm", "train", str(run), "--corpus", str(texts), *LM]) == 0
    assert main(["harvest", str(run), "--site", "mlp_in", "--site", "mlp_out", "--no-control"]) == 0
    assert main(["train", str(run), *TRANSCODERS]) == 0
    return run


@pytest.fixture(scope="session")
def graphed(tmp_path_factory: pytest.TempPathFactory, layered: Path) -> Path:
    """A whole graph of the run. To be read only."""
    out = tmp_path_factory.mktemp("graphed") / "graph"
    assert main(["trace", str(layered), PROMPT, *WHOLE, "--out", str(out)]) == 0
    return out


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
