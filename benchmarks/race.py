"""Contenders side by side: each waits in its own process while another computes.

    with Race(numbers, files) as race:
        for contender in contenders: race.enter(contender, warmup)
        for turn in range(rounds):   race.round(steps)
        race.finish()

One that dies is named in one line, leaves the race, and the others go on.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

from benchmarks.activations import Files
from benchmarks.contenders import Contender
from benchmarks.processes import Worker, WorkerError, task_of

BUSY = 0.5
"""Seconds of CPU time that a worker may use while it waits, before it is said to disturb the others."""


@dataclass
class Record:
    """What one contender has shown so far. speeds: tokens per second of each round; score: nmse and l0 at the end."""

    speeds: list[float]
    peak_mb: float | None
    score: dict[str, float | None]


@final
class Race:
    """numbers: the fields of a worker's task that all share, but for its rows."""

    def __init__(self, files: Files, numbers: dict[str, Any]) -> None:
        self.files, self.numbers = files, numbers
        self.workers: dict[str, Worker] = {}
        self.records: dict[str, Record] = {}
        self.failures: list[str] = []

    def __enter__(self) -> "Race":
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.workers):
            self._leave(name)

    def enter(self, contender: Contender, warmup: int) -> None:
        """Start its worker and let it take `warmup` steps."""
        task = task_of(contender, self.files.rows, self.files.held_out, d_in=self.files.d_in, **self.numbers)
        self.workers[contender.name] = worker = Worker(contender, task)
        self.records[contender.name] = Record([], None, {})
        self._attempt(contender.name, worker.ready)
        if warmup:
            self._attempt(contender.name, lambda: worker.go(warmup))

    def round(self, steps: int) -> None:
        """`steps` steps of each in turn."""
        for name, worker in list(self.workers.items()):
            answer = self._attempt(name, lambda worker=worker: worker.go(steps))
            if answer:
                record = self.records[name]
                record.speeds.append(steps * self.numbers["batch"] / answer["seconds"])
                record.peak_mb = answer["peak_mb"]
                if answer["idle"] > BUSY:
                    say(f"{name} used {answer['idle']:.1f} s of CPU time while others were measured")

    def finish(self) -> None:
        """End each training, and measure what it made."""
        for name, worker in list(self.workers.items()):
            answer = self._attempt(name, worker.finish)
            if answer:
                self.records[name].score = {key: answer[key] for key in ("nmse", "l0")}
                self._leave(name)

    def _attempt(self, name: str, command: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The answer; nothing when the worker has died, now or before."""
        if name not in self.workers:
            return {}
        try:
            return command()
        except WorkerError as error:
            self.failures.append(str(error))
            say(str(error))
            self._leave(name)
            del self.records[name]
            return {}

    def _leave(self, name: str) -> None:
        self.workers.pop(name).close()


def in_turn(workers: dict[str, Worker], rounds: int) -> tuple[dict[str, list[dict[str, Any]]], list[str]]:
    """What each answered to one step, round after round, each in its turn; and what those said that died, of whom
    nothing is kept. Ends them all."""
    answers: dict[str, list[dict[str, Any]]] = {}
    failures: list[str] = []
    try:
        for turn in range(rounds + 1):
            for name, worker in list(workers.items()):
                try:
                    answer = worker.ready() if turn == 0 else worker.go(1)
                except WorkerError as error:
                    failures.append(str(error))
                    say(str(error))
                    workers.pop(name).close()
                    answers.pop(name, None)
                    continue
                if turn:
                    say(f"round {turn} of {rounds}: {name} {answer['seconds']:.2f} s")
                    if answer["idle"] > BUSY and turn > 1:
                        say(f"{name} used {answer['idle']:.1f} s of CPU time while others were measured")
                    answers.setdefault(name, []).append(answer)
    finally:
        for worker in workers.values():
            worker.close()
    return answers, failures


def installed(contenders: Sequence[Contender]) -> list[Contender]:
    """Those whose environment is there; the others are named."""
    for contender in contenders:
        if not contender.installed():
            say(f"{contender.name}: not installed: make peers-bench")
    return [contender for contender in contenders if contender.installed()]


def say(line: str) -> None:
    """A line about the run itself: standard output is for results."""
    print(line, file=sys.stderr, flush=True)
