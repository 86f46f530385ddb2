"""One process interprets the kernels for all tests of a worker, so that no other test meets TRITON_INTERPRET."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from typing import Any

import pytest
from torch import Tensor

from monosema.dictionaries.codes import SparseCodes

from . import interpreted
from .interpreted import Wish, packed, unpacked

if find_spec("triton") is None:  # Triton has no build for this system
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def interpreter() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=interpreted.begin) as pool:
        yield pool


@pytest.fixture
def call(interpreter: ProcessPoolExecutor) -> Callable[..., Any]:
    """call("select_topk", x, ...): a function of the backend, interpreted."""

    def run(name: str, *arguments: Any) -> Any:
        return unpacked(interpreter.submit(interpreted.call, name, *map(packed, arguments)).result())

    return run


@pytest.fixture
def select(interpreter: ProcessPoolExecutor) -> Callable[..., tuple[SparseCodes, int]]:
    """select(wish, x, W_enc, b_enc, number): the codes, and how many rows were done again."""

    def run(wish: Wish, *problem: Tensor | float) -> tuple[SparseCodes, int]:
        codes, redone = interpreter.submit(interpreted.select, wish, *map(packed, problem)).result()
        return unpacked(codes), redone

    return run
