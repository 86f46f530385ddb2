"""`monosema dash` as a person starts it: its address, its answer, its end, and what it refuses."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from features.made_tables import Made, make_run

pytestmark = pytest.mark.slow

CODE = "import sys; from monosema.cli import main; sys.exit(main())"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two feature tables."""
    run = tmp_path_factory.mktemp("dash") / "demo"
    make_run(run, {"l1": Made(n_features=30, n_tokens=2048), "topk": Made(n_features=30, n_tokens=2048, shift=3)})
    return run


@contextmanager
def started(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a process of its own, and the address in the first line that it prints."""
    command = [sys.executable, "-c", CODE, "dash", *words]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    try:
        stream = process.stderr if "--json" in words else process.stdout
        assert stream is not None
        first = stream.readline()
        assert first.startswith("open http://"), first + (process.stderr.read() if process.stderr else "")
        assert stream.readline() == "stop with Ctrl-C\n"
        yield process, first.removeprefix("open ").strip()
    finally:
        process.kill()
        process.communicate()


def page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read().decode()


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Exit status and what was printed after Ctrl-C."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    return process.returncode, out, err


def test_it_prints_its_address_answers_and_ctrl_c_ends_it(tables):
    with started(str(tables), "--port", "0") as (process, url):
        assert url.startswith("http://127.0.0.1:")
        shown = page(url)
        assert ">l1</a>" in shown and ">topk</a>" in shown
        assert json.loads(page(f"{url}dictionaries.json"))["rows"][0]["dictionary"] == "l1"
        assert ended(process) == (0, "", "")
    with pytest.raises(urllib.error.URLError):
        page(url)


def test_a_browser_that_is_still_connected_does_not_keep_it(tables):
    with started(str(tables), "--port", "0") as (process, url):
        port = int(url.rpartition(":")[2].strip("/"))
        with socket.create_connection(("127.0.0.1", port)) as held:
            held.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: keep-alive\r\n\r\n".encode())
            assert held.recv(15) == b"HTTP/1.1 200 OK"
            assert ended(process)[0] == 0


def test_several_runs_and_what_it_says_as_json(tables, tmp_path):
    other = tmp_path / "other"
    make_run(other, {"gated": Made(n_features=30, n_tokens=2048)})
    with started(str(tables), str(other), "--port", "0", "--json") as (process, url):
        assert all(f">{name}</a>" in page(url) for name in ("l1", "topk", "gated"))
        status, out, err = ended(process)
    said = json.loads(out)
    assert (status, err) == (0, "")
    assert said["result"] == {"url": url, "runs": [str(tables), str(other)]}


def test_with_a_token_only_who_has_it_is_let_in(tables):
    with started(str(tables), "--port", "0", "--host", "0.0.0.0", "--token", "secret1234") as (process, url):
        assert url.endswith("/?token=secret1234") and url.startswith("http://127.0.0.1:")
        with pytest.raises(urllib.error.HTTPError) as refused:
            page(url.partition("?")[0])
        refused.value.close()
        assert refused.value.code in (401, 403)
        cookies = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with cookies.open(url, timeout=20) as answer:
            assert ">topk</a>" in answer.read().decode()
        assert ended(process)[0] == 0


def test_a_port_in_use_is_one_line(tables, refused):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert str(port) in (line := refused("dash", str(tables), "--port", str(port)))
        assert "--port" in line


def test_a_table_in_the_making_is_shown(tables, tmp_path):
    run = Path(shutil.copytree(tables, tmp_path / "run"))
    table = run / "features" / "l1" / "table.json"
    manifest = json.loads(table.read_text())
    table.write_text(json.dumps({**manifest, "state": "building", "stage": "effects", "done": 3, "total": 9}))
    with started(str(run), "--port", "0") as (process, url):
        assert "Being built: effects, 3 of 9." in page(url)
        assert ended(process)[0] == 0


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("", "no run to show: give one, such as runs/demo"),
        ("nowhere", "nowhere is not a run directory"),
        ("RUN --port 65536", "port is 65536: it must be"),
        ("RUN --port many", "Error parsing --port"),
        ("RUN --host 0.0.0.0", "--host 0.0.0.0 lets others in: give a --token they need"),
        ("RUN --token short", "--token must be at least 8 letters and digits"),
        ("RUN --token with&sign1", "--token must be at least 8 letters and digits"),
        ("RUN --prot 1", "Unrecognized options: --prot"),
    ],
)
def test_a_mistake_is_one_line(tables, refused, words, line):
    assert line in refused("dash", *words.replace("RUN", str(tables)).split())


def test_a_run_without_tables_is_told_which_command_makes_them(whole, refused):
    assert f"{whole} has no feature tables: build them with `monosema features {whole}`" in refused("dash", str(whole))
