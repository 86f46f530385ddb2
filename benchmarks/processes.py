"""The driver's side: one process per contender, kept alive, computing only when it is told to.

Unix only: answers come through a pipe of their own, because standard output belongs to the libraries.
"""

import json
import os
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, final

from benchmarks.contenders import ROOT, Contender
from benchmarks.workers.erasing import EraseTask
from benchmarks.workers.feed import Task
from benchmarks.workers.hooking import HookTask
from benchmarks.workers.showing import ShowTask
from benchmarks.workers.tracing import TraceTask
from monosema.core.errors import MonosemaError

QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "WANDB_MODE": "disabled",
    "TOKENIZERS_PARALLELISM": "false",
}


class WorkerError(MonosemaError):
    """A worker died; the message ends with the last line that it wrote to standard error."""


@final
class Worker:
    """A contender at work. `close` ends it, whatever it is doing."""

    def __init__(
        self, contender: Contender, task: Task | ShowTask | EraseTask | TraceTask | HookTask, *mode: str
    ) -> None:
        """mode: further words on its command line."""
        self.name = contender.name
        self.complaints = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        ours, theirs = os.pipe()
        self.answers = os.fdopen(ours)
        words = json.dumps({**asdict(task), "answers": theirs})
        self.process = subprocess.Popen(
            [str(contender.python()), "-m", f"benchmarks.workers.{contender.worker}", words, *mode],
            cwd=ROOT,
            env={**os.environ, **QUIET, "OMP_NUM_THREADS": str(task.threads)},
            stdin=subprocess.PIPE,
            stdout=self.complaints,
            stderr=self.complaints,
            pass_fds=(theirs,),
            text=True,
        )
        os.close(theirs)

    def ready(self) -> dict[str, Any]:
        """Wait until it has imported its library and seen its rows; what it says of itself."""
        return self._answer()

    def go(self, steps: int) -> dict[str, Any]:
        """Train `steps` steps and wait: seconds, peak_mb, and idle, its CPU time since it answered last."""
        self._say(f"go {steps}")
        return self._answer()

    def finish(self) -> dict[str, Any]:
        """End the training and measure: nmse, l0, peak_mb."""
        self._say("finish")
        return self._answer()

    def train(self, task: dict[str, Any]) -> dict[str, Any]:
        """One training of a series and its measures; `task` holds what differs from the first task."""
        self._say(json.dumps(task))
        return self._answer()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it died with a command unread
            self.process.stdin.close()
        self.answers.close()
        self.complaints.close()

    def _say(self, line: str) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise WorkerError(self._died()) from None

    def _answer(self) -> dict[str, Any]:
        line = self.answers.readline()
        if not line:
            raise WorkerError(self._died())
        return json.loads(line)

    def _died(self) -> str:
        self.process.wait()
        self.complaints.seek(0)
        said = [line for line in self.complaints.read().decode(errors="replace").splitlines() if line.strip()]
        last = said[-1].strip() if said else "nothing was said"
        return f"{self.name} died (exit status {self.process.returncode}): {last}"


def task_of(contender: Contender, rows: Path, held_out: Path, **numbers: Any) -> Task:
    """The task of a contender: its settings, and the numbers that all share. The worker sets the descriptor."""
    settings = {**contender.settings, "lr": contender.lr}
    return Task(rows=str(rows), held_out=str(held_out), settings=settings, answers=-1, **numbers)
