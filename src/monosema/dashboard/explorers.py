"""The models behind the tables: opened when a prompt is first read, one question to each at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from monosema.core.errors import RunError
from monosema.features.live.rows import Exploring

Opener = Callable[[Path], Exploring]
"""From a run directory to whatever answers about prompts."""

PATIENCE = 60.0
"""Seconds that a question waits for the one before it."""


class Explorers:
    """By run directory. Without an `opener` there are none, and asking says so."""

    def __init__(self, opener: Opener | None = None, patience: float = PATIENCE) -> None:
        self.opener, self.patience = opener, patience
        self._open: dict[Path, Exploring] = {}
        self._locks: dict[Path, Lock] = {}
        self._lock = Lock()

    @contextmanager
    def using(self, run: Path) -> Iterator[Exploring]:
        """The one of a run, for as long as the block lasts. Raises RunError when another question takes too long."""
        if self.opener is None:
            raise RunError("prompts cannot be read here: this server was started without the models of its runs")
        with self.alone(run):
            if run not in self._open:
                self._open[run] = self.opener(run)
            yield self._open[run]

    @contextmanager
    def alone(self, run: Path) -> Iterator[None]:
        """Nobody else asks the run's model while the block lasts. Raises RunError when another question takes too
        long."""
        with self._lock:
            lock = self._locks.setdefault(run, Lock())
        if not lock.acquire(timeout=self.patience):
            raise RunError("the model is at work on another question: stop that one, or ask again later")
        try:
            yield
        finally:
            lock.release()
