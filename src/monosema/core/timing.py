"""Where the time of a loop goes: named stretches, each counted once, however deeply they are nested.

    seconds: dict[str, float] = {}
    with clock(seconds):
        with timed("select"):
            with timed("encode"): ...        counted as encode, and not as select

Outside a `clock` a stretch is not counted and costs next to nothing. Work that a device does later is
counted where it is waited for.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class _Clock:
    seconds: dict[str, float]
    running: str = ""
    since: float = 0.0

    def switch(self, name: str) -> str:
        """Count the time since the last switch to what was running, and run `name`; what ran before."""
        now, before = time.perf_counter(), self.running
        if before:
            self.seconds[before] = self.seconds.get(before, 0.0) + now - self.since
        self.running, self.since = name, now
        return before


_current: ContextVar[_Clock | None] = ContextVar("clock", default=None)


@contextmanager
def clock(seconds: dict[str, float]) -> Iterator[None]:
    """Within it the stretches called `timed` add their seconds to `seconds`."""
    token = _current.set(_Clock(seconds))
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def timed(name: str) -> Iterator[None]:
    """A stretch called `name`."""
    running = _current.get()
    if running is None:
        yield
        return
    before = running.switch(name)
    try:
        yield
    finally:
        running.switch(before)
