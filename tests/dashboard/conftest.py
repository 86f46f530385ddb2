"""Tests in a browser need one on PATH: without it they are selected away, and a line says so."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.tiny import LM, TRANSCODERS, stages, write_texts

from monosema.cli import main

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FEW = ["--n-top", "4", "--n-calibration", "4", "--n-contexts", "4", "--n-examples", "2", "--max-tokens", "2000"]
LEFT_OUT = "browser tests left out: none of {} is on PATH (Debian: apt-get install chromium)"


def browser_path() -> str | None:
    """The path of a browser, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if browser_path() is not None:
        return
    left_out = [item for item in items if item.get_closest_marker("browser")]
    if not left_out:
        return
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(LEFT_OUT.format(", ".join(BROWSERS)))


@pytest.fixture(scope="session")
def executable() -> str:
    """The browser's path, for tests marked `browser`."""
    found = browser_path()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def browser(executable: str) -> Iterator[object]:
    """A browser that was started."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a real model of 16 positions, three dictionaries and their tables. To be read only."""
    run = tmp_path_factory.mktemp("explored") / "tiny"
    texts = write_texts(tmp_path_factory.mktemp("texts") / "texts")
    for command in [*stages(run, texts)[:3], ["features", str(run), *FEW]]:
        assert main(command) == 0
    return run


@pytest.fixture(scope="session")
def layered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a transcoder of each of its two layers, and the first one's table. To be read only."""
    run = tmp_path_factory.mktemp("layered") / "deep"
    texts = write_texts(tmp_path_factory.mktemp("texts") / "texts")
    both = ["--site", "mlp_in", "--site", "mlp_out", "--no-control"]
    for command in [
        ["lm", "train", str(run), "--corpus", str(texts), *LM],
        ["harvest", str(run), *both],
        ["train", str(run), *TRANSCODERS],
        ["features", str(run), "--names", "tc-0", *FEW],
    ]:
        assert main(command) == 0
    return run
