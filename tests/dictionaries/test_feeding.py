"""Batches made ready ahead of time: in order, no further ahead than said, and no error or thread left behind."""

import threading
import time
from collections.abc import Iterator

import pytest
import torch

from monosema.dictionaries.feeding import ahead, feeding


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "feeding"]


def test_items_come_in_order_and_prepared():
    assert list(ahead(iter(range(50)), lambda i: i * i, 2)) == [i * i for i in range(50)]
    assert threads() == []


def test_the_thread_is_no_further_ahead_than_said():
    taken: list[int] = []

    def source() -> Iterator[int]:
        for i in range(100):
            taken.append(i)
            yield i

    items = ahead(source(), lambda i: i, 2)
    assert next(items) == 0
    time.sleep(0.3)
    assert 2 <= len(taken) <= 4  # the one taken, two that wait, and one in hand
    items.close()
    assert threads() == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_comes_in_its_place(error: type[BaseException]):
    def source() -> Iterator[int]:
        yield 1
        yield 2
        raise error("here")

    items = ahead(source(), lambda i: i, 5)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(error, match="here"):
        next(items)
    assert threads() == []


def test_a_processor_takes_batches_as_they_come():
    batches = iter([torch.zeros(1)])
    with feeding(batches, "cpu") as fed:  # type: ignore[arg-type]
        assert fed is batches
    assert threads() == []
