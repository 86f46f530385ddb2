"""Run directories: the only thing monosema keeps on disk.

    config.json       every stage's settings, as they were given
    provenance.json   every stage's versions, seed, command line and input fingerprints
    log.jsonl         one JSON object a line: what happened, with the stage that says it
    ...               what the stages wrote

A file is written under a temporary name in the same folder, flushed to the disk, and renamed: a
reader sees the old file or the new one, never half of one. A stage is entered with `begin` and left
with `finish`; between the two the run is incomplete and `require` says so.
"""

import errno
import json
import math
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from monosema.core.errors import DamagedError, RunError

_TEMPORARY = ".tmp"


@contextmanager
def _full_disk_named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RunError(f"no space left for {path}: free some, then repeat the command") from error
        raise


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; what is written there takes `path`'s place at the end.

    On any exception the temporary file is removed and `path` is as it was. Raises RunError when the
    disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_TEMPORARY}")
    try:
        with _full_disk_named(path):
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """What `write_json` wrote. Raises RunError when the file is missing, DamagedError when it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunError(f"{path} does not exist") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DamagedError(f"{path} is not valid JSON ({error}): it was edited or cut; make it again") from error


@dataclass(frozen=True)
class Run:
    """A run directory. Make one with `open_run`."""

    path: Path

    def begin(self, stage: str, config: Mapping[str, Any], inputs: Mapping[str, str], seed: int) -> None:
        """Record that `stage` starts, with its settings and the fingerprints of what it reads."""
        provenance = {
            "python": platform.python_version(),
            "packages": _versions(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "command": shlex.join(sys.argv),
            "seed": seed,
            "inputs": dict(inputs),
            "started": _now(),
            "finished": None,
        }
        self._merge("provenance.json", stage, provenance)
        self._merge("config.json", stage, dict(config))
        self.log(stage, event="begin")

    def finish(self, stage: str, outputs: Mapping[str, str]) -> None:
        """Record that `stage` is done, with the fingerprints of what it wrote."""
        provenance = self.stages()[stage]
        self._merge("provenance.json", stage, {**provenance, "outputs": dict(outputs), "finished": _now()})
        self.log(stage, event="finish")

    def stages(self) -> dict[str, Any]:
        """Every stage's provenance; empty before the first stage."""
        path = self.path / "provenance.json"
        return read_json(path) if path.exists() else {}

    def config(self, stage: str) -> dict[str, Any]:
        """The settings `stage` was given. Raises RunError if it never started."""
        self.require(stage, finished=False)
        configs = read_json(self.path / "config.json")
        if stage not in configs:
            raise RunError(
                f"'{stage}' in {self.path} was interrupted before its settings were written: repeat the command"
            )
        return configs[stage]

    def require(self, stage: str, *, finished: bool = True) -> dict[str, Any]:
        """The provenance of `stage`. Raises RunError saying which command makes it, if it is not there."""
        stages = self.stages()
        if stage not in stages:
            done = ", ".join(stages) or "nothing"
            raise RunError(f"{self.path} has no '{stage}' yet (it holds {done}): run `monosema {stage}` first")
        if finished and stages[stage]["finished"] is None:
            raise RunError(
                f"'{stage}' in {self.path} was interrupted: repeat the same `monosema {stage}` command, it resumes"
            )
        return stages[stage]

    def log(self, stage: str, **entry: Any) -> None:
        """Append one line to log.jsonl. A number that is not finite is written as "nan", "inf" or "-inf"."""
        line = json.dumps({"time": _now(), "stage": stage, **_finite(entry)}, ensure_ascii=False, allow_nan=False)
        path = self.path / "log.jsonl"
        with _full_disk_named(path), path.open("a+b") as file:
            file.truncate(_end_of_last_line(file))
            file.write(line.encode() + b"\n")

    def entries(self, stage: str) -> list[dict[str, Any]]:
        """What `stage` logged, in order; a last line that a kill cut short is left out.

        Raises DamagedError at any other line that is not JSON.
        """
        path = self.path / "log.jsonl"
        text = path.read_bytes() if path.exists() else b""
        try:
            entries = [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise DamagedError(f"{path} holds a line that is not JSON ({error}): it was edited") from error
        return [entry for entry in entries if entry["stage"] == stage]

    def _merge(self, name: str, stage: str, value: dict[str, Any]) -> None:
        path = self.path / name
        write_json(path, {**(read_json(path) if path.exists() else {}), stage: value})


def open_run(path: Path | str, *, create: bool = False) -> Run:
    """The run directory at `path`. Raises RunError when it is missing and `create` is not given,
    or when `path` is a file or a folder with other things in it."""
    path = Path(path)
    if path.is_file():
        raise RunError(f"{path} is a file: give a folder for the run")
    is_run = (path / "provenance.json").exists()
    if not is_run and not create:
        raise RunError(f"{path} is not a run directory: it has no provenance.json")
    if not is_run and path.exists() and any(not _left_by_a_kill(p) for p in path.iterdir()):
        raise RunError(f"{path} holds other things and is not a run directory: give a new or empty folder")
    path.mkdir(parents=True, exist_ok=True)
    return Run(path)


def _left_by_a_kill(path: Path) -> bool:
    return path.name == "log.jsonl" or (path.name.startswith(".") and path.name.endswith(_TEMPORARY))


def _end_of_last_line(file: BinaryIO) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - 1, 0))
    if file.read() in (b"", b"\n"):
        return size
    file.seek(0)
    return file.read().rfind(b"\n") + 1


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("monosema", "torch", "transformers", "tokenizers", "safetensors", "numpy")}
