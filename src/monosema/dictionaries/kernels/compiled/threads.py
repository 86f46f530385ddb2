"""Rows shared among threads. The loops hold no lock of Python's, so ordinary threads run side by side."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import torch

PARTS = 4
"""Parts a thread: one that is done early takes another."""


def share(loop: Callable[..., Any], rows: int, *arguments: Any) -> None:
    """Run loop(*arguments, start, stop) over [0, rows), by as many threads as torch has."""
    n = max(1, min(torch.get_num_threads(), rows // PARTS))
    if n == 1:
        loop(*arguments, 0, rows)
        return
    borders = [rows * i // (n * PARTS) for i in range(n * PARTS + 1)]
    parts = iter(list(pairwise(borders)))
    others = [_pool(n).submit(_work, loop, arguments, parts) for _ in range(n - 1)]
    _work(loop, arguments, parts)
    for other in others:
        other.result()


def _work(loop: Callable[..., Any], arguments: tuple[Any, ...], parts: Iterator[tuple[int, int]]) -> None:
    for start, stop in parts:
        loop(*arguments, start, stop)


@cache
def _pool(n: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n - 1, thread_name_prefix="monosema")
