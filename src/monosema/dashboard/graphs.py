"""Graphs behind the browser's screen: traced while the page says so, the last few kept, and files that were opened."""

import hashlib
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import final

from monosema.core.errors import DataError, RunError
from monosema.dashboard.explorers import Explorers
from monosema.dashboard.graph.live import ChangedValues, Intervention, Question, Tracing, Workshop
from monosema.dashboard.graph.values import Graphed

KEPT = 8
"""Graphs that are kept, of either kind."""

PATIENCE = 0.2
"""Seconds that a page waits for a graph before it says what is being done."""


@dataclass(frozen=True)
class Waiting:
    """A graph that is not there yet: what is being done, and for how many seconds."""

    doing: str
    seconds: float


@dataclass
class _Doing:
    """`says` is rewritten as the work goes on."""

    says: str = "waiting for the graph before this one"
    since: float = field(default_factory=time.monotonic)


@final
class Graphs:
    """One graph is traced at a time; several requests may ask at once. Without a `workshop` there are none."""

    def __init__(self, workshop: Workshop | None, explorers: Explorers) -> None:
        self._workshop, self._explorers = workshop, explorers
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="trace")
        self._tracers: dict[Path, Tracing] = {}
        self._jobs: dict[tuple[Path, Question], tuple[_Doing, Future[Graphed]]] = {}
        self._files: dict[str, Graphed] = {}
        self._lock = Lock()

    def sets(self, run: Path) -> tuple[str, ...]:
        """Names of a run's sets of transcoders."""
        return () if self._workshop is None else self._workshop.sets(run)

    def of(self, run: Path, question: Question) -> Graphed | Waiting:
        """The graph, or what is being done for it. Raises what tracing it raises; asked again, it is tried again."""
        key = (run, question)
        with self._lock:
            doing, future = self._jobs.pop(key, None) or self._begun(run, question)
            self._jobs[key] = doing, future
            for old in [other for other, (_, one) in self._jobs.items() if one.done() and other != key]:
                if len(self._jobs) > KEPT:
                    del self._jobs[old]
        try:
            return future.result(PATIENCE)
        except TimeoutError:
            return Waiting(doing.says, time.monotonic() - doing.since)
        finally:
            if future.done() and future.exception() is not None:
                self._forget(key, future)

    def changed(self, run: Path, question: Question, wanted: Intervention) -> ChangedValues:
        """What changing features of a graph does. Raises as `Tracing.change` and `Explorers.alone` do."""
        with self._explorers.alone(run):
            return self._tracer(run).change(question, wanted)

    def opened(self, name: str, text: str) -> str:
        """Keep the graph of a file for a while; the key under which `file` has it. Raises as `Workshop.read` does."""
        graphed = self._present().read(name, text)
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        with self._lock:
            self._files.pop(key, None)
            self._files[key] = graphed
            while len(self._files) > KEPT:
                del self._files[next(iter(self._files))]
        return key

    def file(self, key: str) -> Graphed:
        """The graph of a file that was opened. Raises DataError when it is not there, or not any more."""
        if key not in self._files:
            raise DataError("this server does not hold that file any more: open it again")
        return self._files[key]

    def _begun(self, run: Path, question: Question) -> tuple[_Doing, Future[Graphed]]:
        doing = _Doing()
        return doing, self._worker.submit(self._trace, run, question, doing)

    def _forget(self, key: tuple[Path, Question], failed: Future[Graphed]) -> None:
        with self._lock:
            if key in self._jobs and self._jobs[key][1] is failed:
                del self._jobs[key]

    def _trace(self, run: Path, question: Question, doing: _Doing) -> Graphed:
        doing.says = "waiting for another question to the model"
        with self._explorers.alone(run):
            doing.says = "opening the model"
            tracer = self._tracer(run)
            doing.says = "tracing the prompt"
            return tracer.trace(question)

    def _tracer(self, run: Path) -> Tracing:
        if run not in self._tracers:
            self._tracers[run] = self._present().tracer(run)
        return self._tracers[run]

    def _present(self) -> Workshop:
        if self._workshop is None:
            raise RunError("graphs cannot be made here: this server was started without the models of its runs")
        return self._workshop
