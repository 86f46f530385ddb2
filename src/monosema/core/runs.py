"""Run directories: the only thing monosema keeps on disk.

    config.json       every stage's settings, as they were given
    provenance.json   every stage's versions, seed, command line and input fingerprints
    log.jsonl         one JSON object a line: what happened, with the stage that says it
    ...               what the stages wrote

A file is written under a temporary name in the same folder, flushed to the disk, and renamed: a
reader sees the old file or the new one, never half of one. A stage is entered with `begin` and left
with `finish`; between the two the run is incomplete and `require` says so.
"""

import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monosema.core.errors import DamagedError, RunError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; what is written there takes `path`'s place at the end.

    On any exception the temporary file is removed and `path` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
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
        self._merge("config.json", stage, dict(config))
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
        return read_json(self.path / "config.json")[stage]

    def require(self, stage: str, *, finished: bool = True) -> dict[str, Any]:
        """The provenance of `stage`. Raises RunError saying which command makes it, if it is not there."""
        stages = self.stages()
        if stage not in stages:
            done = ", ".join(stages) or "nothing"
            raise RunError(f"{self.path} has no '{stage}' yet (it holds {done}): run `monosema {stage}` first")
        if finished and stages[stage]["finished"] is None:
            raise RunError(f"'{stage}' in {self.path} was interrupted: repeat the same `monosema {stage}` command, it resumes")
        return stages[stage]

    def log(self, stage: str, **entry: Any) -> None:
        """Append one line to log.jsonl."""
        line = json.dumps({"time": _now(), "stage": stage, **entry}, ensure_ascii=False)
        with (self.path / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

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
    if not is_run and path.exists() and any(p for p in path.iterdir() if p.name != "log.jsonl"):
        raise RunError(f"{path} holds other things and is not a run directory: give a new or empty folder")
    path.mkdir(parents=True, exist_ok=True)
    return Run(path)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("monosema", "torch", "transformers", "tokenizers", "safetensors", "numpy")}
