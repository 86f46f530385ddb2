import subprocess
import sys
from pathlib import Path

import pytest

from monosema.core.errors import RunError
from monosema.core.locks import holding
from monosema.core.runs import open_run
from monosema.pipeline.records import begun, is_finished

BEGIN = """
import sys
from monosema.core.runs import open_run
from monosema.pipeline.records import begun
with begun(open_run(sys.argv[1]), "score", {"seed": 1}, {}, 1):
    pass
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such lock")
def test_a_second_process_is_refused_and_changes_nothing(tmp_path: Path):
    run = open_run(tmp_path / "run", create=True)
    with begun(run, "train", {"rows": 3}, {}, 0):
        run.finish("train", {})
    before = {path.name: path.read_bytes() for path in run.path.iterdir()}
    with holding(run.path):
        second = subprocess.run(
            [sys.executable, "-c", BEGIN, str(run.path)], capture_output=True, text=True, check=False
        )
    assert "another process is writing into" in second.stderr
    assert {path.name: path.read_bytes() for path in run.path.iterdir()} == before


def test_a_stage_may_be_made_within_another(tmp_path: Path):
    run = open_run(tmp_path / "run", create=True)
    with begun(run, "check", {}, {}, 0):
        with begun(run, "train", {}, {}, 0):
            run.finish("train", {})
        run.finish("check", {})
    assert is_finished(run, "train") and is_finished(run, "check")


def test_a_full_disk_within_lets_go_of_the_run(tmp_path: Path):
    run = open_run(tmp_path / "run", create=True)
    with pytest.raises(RunError, match="no space"), begun(run, "train", {}, {}, 0):
        raise RunError("no space left for it")
    assert subprocess.run([sys.executable, "-c", BEGIN, str(run.path)], check=False).returncode == 0
