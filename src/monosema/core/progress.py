"""Progress that a person can watch and a log file can bear.

On a terminal a bar is drawn on standard error. Without one (a pipe, CI, a notebook's log) a line is
written at most every 30 seconds and one at the end, so that nothing is silent and nothing floods.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

LINE_EVERY_SECONDS = 30.0


class Bar(Protocol):
    """What `progress` hands out: call `advance` as work is done."""

    def advance(self, n: int = 1, note: str = "") -> None: ...


@contextmanager
def progress(what: str, total: int, unit: str = "step") -> Iterator[Bar]:
    """A bar for `total` units of `what`, open inside the `with` block; a total of 0 is not known."""
    if sys.stderr.isatty():
        with _rich_bar(what, total) as bar:
            yield bar
    else:
        lines = _Lines(what, total, unit)
        yield lines
        lines.end()


class _Lines:
    def __init__(self, what: str, total: int, unit: str) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done, self.note = 0, ""
        self.started = self.last = time.monotonic()

    def advance(self, n: int = 1, note: str = "") -> None:
        self.done, self.note = self.done + n, note
        if time.monotonic() - self.last >= LINE_EVERY_SECONDS:
            self.last = time.monotonic()
            self.write()

    def end(self) -> None:
        self.write(f" in {time.monotonic() - self.started:.1f} s")

    def write(self, ending: str = "") -> None:
        note = f" ({self.note})" if self.note else ""
        of = f" of {self.total:,}" if self.total else ""
        print(f"{self.what}: {self.done:,}{of} {self.unit}s{ending}{note}", file=sys.stderr, flush=True)


@contextmanager
def _rich_bar(what: str, total: int) -> Iterator[Bar]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as shown:
        task = shown.add_task(what, total=total or None, note="")

        class RichBar:
            def advance(self, n: int = 1, note: str = "") -> None:
                shown.update(task, advance=n, note=note)

        yield RichBar()
