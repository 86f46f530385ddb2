import subprocess
import sys
from pathlib import Path

import pytest

from monosema.core.errors import RunError
from monosema.core.locks import holding

HOLD = """
import sys
from pathlib import Path
from monosema.core.locks import holding
with holding(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such lock")


@pytest.fixture
def holder(tmp_path: Path):
    """Another process that holds the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdin is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_a_folder_that_another_process_holds_is_refused(tmp_path: Path, holder: subprocess.Popen):
    del holder
    with pytest.raises(RunError, match="another process is writing into"), holding(tmp_path):
        raise AssertionError


def test_a_killed_holder_holds_no_longer_and_leaves_nothing(tmp_path: Path, holder: subprocess.Popen):
    holder.kill()
    holder.wait()
    with holding(tmp_path):
        assert not list(tmp_path.iterdir())


def test_a_process_holds_a_folder_within_itself_and_lets_go_at_the_end_only(tmp_path: Path):
    script = HOLD.replace('print("held", flush=True)', "").replace("sys.stdin.read()", "pass")
    tried = [sys.executable, "-c", script, str(tmp_path)]
    with holding(tmp_path):
        with holding(tmp_path / ".." / tmp_path.name):
            pass
        refused = subprocess.run(tried, check=False, capture_output=True, text=True)
        assert "another process is writing into" in refused.stderr
    assert subprocess.run(tried, check=False).returncode == 0


def test_an_error_within_lets_go(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), holding(tmp_path):
        raise ZeroDivisionError
    script = HOLD.replace("sys.stdin.read()", "pass")
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False).returncode == 0
