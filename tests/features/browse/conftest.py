"""Two made-up tables of the same text, the second a turned copy of the first. To be read only: see `copied`."""

import shutil
from pathlib import Path

import pytest

from features.made_tables import Made, World, make_run
from monosema.features.browse import FeatureTable, open_table

SHIFT = 7


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, World]]:
    run = tmp_path_factory.mktemp("tables") / "run"
    return run, make_run(run, {"first": Made(), "second": Made(shift=SHIFT, other="first"), "third": Made(shift=SHIFT)})


@pytest.fixture(scope="session")
def world(made: tuple[Path, dict[str, World]]) -> World:
    return made[1]["first"]


@pytest.fixture(scope="session")
def table(made: tuple[Path, dict[str, World]]) -> FeatureTable:
    return open_table(made[0] / "features" / "first")


@pytest.fixture
def copied(made: tuple[Path, dict[str, World]], tmp_path: Path) -> Path:
    """A copy of the first table's folder, to be spoilt."""
    return Path(shutil.copytree(made[0] / "features" / "first", tmp_path / "first"))
