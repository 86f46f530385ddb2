"""What `make test` does about a browser before the tests: nothing, an installation, or one clear line."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BROWSER = ROOT / ".ci" / "browser"


def asked(folder: Path, **programs: str) -> list[str]:
    """The lines it prints where PATH holds these shell programs alone, beside what it needs itself; it never fails."""
    for name in ("bash", "env", "tail", "touch"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    for name, body in programs.items():
        (folder / name.replace("_", "-")).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name.replace("_", "-")).chmod(0o755)
    done = subprocess.run([BROWSER], env={"PATH": str(folder)}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", ["chromium", "google_chrome"])
def test_where_there_is_a_browser_nothing_happens(tmp_path: Path, name: str):
    assert asked(tmp_path, id="echo 0", apt_get="touch $0.ran", **{name: ""}) == []
    assert not (tmp_path / "apt-get.ran").exists()


def test_root_installs_it(tmp_path: Path):
    install = 'case "$*" in *"install -y --no-install-recommends chromium") touch $0.ran;; esac'
    assert asked(tmp_path, id="echo 0", apt_get=install) == ["installing chromium for the browser tests"]
    assert (tmp_path / "apt-get.ran").exists()


def test_lists_of_packages_are_fetched_when_they_are_missing(tmp_path: Path):
    install = 'case "$*" in *update) touch $0.updated;; *) test -e $0.updated;; esac'
    assert asked(tmp_path, id="echo 0", apt_get=install) == ["installing chromium for the browser tests"]


def test_who_may_not_install_is_told_how(tmp_path: Path):
    line = "browser tests will be left out: no chromium or google-chrome on PATH"
    line += " (Debian, Ubuntu: sudo apt-get install chromium)"
    for i, programs in enumerate(({}, {"apt_get": "touch $0.ran"}, {"apt_get": "touch $0.ran", "sudo": "exit 1"})):
        folder = tmp_path / str(i)
        folder.mkdir()
        assert asked(folder, id="echo 1000", **programs) == [line]
        assert not (folder / "apt-get.ran").exists()


def test_a_failed_installation_says_why(tmp_path: Path):
    lines = asked(tmp_path, id="echo 0", apt_get="echo reading; echo 'E: no network' >&2; exit 100")
    assert len(lines) == 2 and lines[1].endswith("and apt-get could not install it: E: no network")


def test_the_tests_ask_it_first():
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nunit:")[2].partition("\n\n")[0]
    assert recipe.splitlines()[1] == "\t@.ci/browser" and "pytest" in recipe
    assert os.access(BROWSER, os.X_OK)
