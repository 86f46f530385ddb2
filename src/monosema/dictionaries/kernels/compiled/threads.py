"""Rows shared among threads: those of torch's own OpenMP, where it can be reached.

After a parallel region OpenMP's threads spin for some milliseconds, ready for the next. Threads of our
own would compete with them for the cores (2 cores, 4,096 features: a step took 100 ms instead of 65).
So a loop runs as one more region of the same library: its C entry point is called with a function that
takes parts of the rows until none are left. The loops hold no lock of Python's.
"""

import ctypes
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

PARTS = 4
"""Parts a thread: one that is done early takes another."""

REGION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
"""What OpenMP runs on every thread: void region(void *data)."""


def share(loop: Callable[..., Any], rows: int, *arguments: Any) -> None:
    """Run loop(*arguments, start, stop) over [0, rows), by as many threads as torch has."""
    n = max(1, min(torch.get_num_threads(), rows // PARTS))
    if n == 1:
        loop(*arguments, 0, rows)
        return
    borders = [rows * i // (n * PARTS) for i in range(n * PARTS + 1)]
    work = _Work(loop, arguments, list(pairwise(borders)))
    openmp = _openmp()
    if openmp is None:
        others = [_pool(n).submit(work.take) for _ in range(n - 1)]
        work.take()
        for other in others:
            other.result()
    else:
        openmp(REGION(lambda _: work.take()), None, n, 0)
    work.finish()


class _Work:
    """Parts that threads take until there are none, and what went wrong in one."""

    def __init__(self, loop: Callable[..., Any], arguments: tuple[Any, ...], parts: list[tuple[int, int]]) -> None:
        self.loop, self.arguments, self.parts = loop, arguments, iter(parts)
        self.failed: list[BaseException] = []

    def take(self) -> None:
        with self:
            for start, stop in self.parts:
                self.loop(*self.arguments, start, stop)

    def __enter__(self) -> None:
        """Within it an error is kept for `finish`: none may cross the C library."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if error is not None:
            self.failed.append(error)
        return True

    def finish(self) -> None:
        if self.failed:
            raise self.failed[0]


@cache
def _openmp() -> Callable[..., None] | None:
    """GOMP_parallel(region, data, threads, flags) of the OpenMP that torch loaded; libomp has it too."""
    for path in _loaded_openmp():
        library = ctypes.CDLL(path)
        try:
            entry = library.GOMP_parallel
        except AttributeError:
            continue
        entry.argtypes, entry.restype = [REGION, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint], None
        return entry
    return None


def _loaded_openmp() -> Iterator[str]:
    """The OpenMP libraries in this process, torch's own first; none where the system does not tell."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return
    paths = {Path(line.split()[-1]) for line in maps.read_text().splitlines() if ".so" in line}
    libraries = [str(path) for path in paths if path.name.startswith(("libgomp", "libomp", "libiomp"))]
    yield from sorted(libraries, key=lambda name: "torch" not in name)


@cache
def _pool(n: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n - 1, thread_name_prefix="monosema")
