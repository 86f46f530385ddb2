"""A table of features that each fire on one token, made once, and copies of it to be explained."""

import shutil
from pathlib import Path

import pytest

from ..toy_tables import Against, made, model, one_a_token


@pytest.fixture(scope="session")
def whole_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("tables"))


@pytest.fixture
def table(whole_table: Path, tmp_path: Path) -> Path:
    """A copy, to be written to."""
    return Path(shutil.copytree(whole_table, tmp_path / "features" / "d"))


@pytest.fixture
def control() -> Against:
    return Against({"d": one_a_token()}, model(seed=1))
