"""Batches made ready for the device while it is busy with the last one.

A CPU takes them as they come: it would only share its cores with the thread that prepares them. For a
GPU they are fetched and put into pinned memory in a thread, `DEPTH` ahead, so that their copies overlap
with the work.
"""

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import Tensor

from monosema.dictionaries.scaling import ActivationBatch

T = TypeVar("T")

DEPTH = 2


@dataclass(frozen=True)
class Pinned:
    """A batch whose activations are in memory that a GPU copies from by itself."""

    activations: dict[str, Tensor]
    documents: Tensor
    positions: Tensor


def pinned(batch: ActivationBatch) -> ActivationBatch:
    """The same batch in pinned memory."""
    activations = {site: rows.pin_memory() for site, rows in batch.activations.items()}
    return Pinned(activations, batch.documents, batch.positions)


@contextmanager
def feeding(batches: Iterator[ActivationBatch], device: str) -> Iterator[Iterator[ActivationBatch]]:
    """`batches` as `device` wants them. At the end the thread is stopped, and `batches` closed if it can be."""
    if not device.startswith("cuda"):
        yield batches
        return
    with closing(ahead(batches, pinned, DEPTH)) as ready:
        yield ready


def ahead(items: Iterator[Any], prepare: Callable[[Any], T], depth: int) -> Generator[T, None, None]:
    """prepare(item) of every item, in order, made in a thread that is up to `depth` items ahead.

    What the thread raises is raised here, in its place among the items. Closing the iterator stops the thread.
    """
    ready: queue.Queue[tuple[Callable[[], T] | None]] = queue.Queue(depth)
    stop = threading.Event()

    def put(entry: Callable[[], T] | None) -> None:
        while not stop.is_set():
            try:
                ready.put((entry,), timeout=0.1)
            except queue.Full:
                continue
            return

    def work() -> None:
        with _Kept() as kept:
            for item in items:
                prepared = prepare(item)
                put(lambda prepared=prepared: prepared)
                if stop.is_set():
                    return
        put(kept.again if kept.error is not None else None)

    thread = threading.Thread(target=work, name="feeding", daemon=True)
    thread.start()
    try:
        while (entry := ready.get()[0]) is not None:
            yield entry()
    finally:
        stop.set()
        thread.join()


class _Kept:
    """An error that happened in a thread, to be raised in another."""

    error: BaseException | None = None

    def __enter__(self) -> "_Kept":
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        self.error = error
        return True

    def again(self) -> Any:
        assert self.error is not None
        raise self.error
