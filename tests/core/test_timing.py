"""Stretches of time: each moment counted once, to the innermost name."""

import time

from monosema.core import timing
from monosema.core.timing import clock, timed


class Ticks:
    """A clock that reads what it is told."""

    def __init__(self, *readings: float) -> None:
        self.readings = iter(readings)

    def __call__(self) -> float:
        return next(self.readings)


def test_the_inner_stretch_is_not_counted_twice(monkeypatch):
    # outer 0..1, inner 1..3, outer 3..7: outer 1 + 4, inner 2.
    monkeypatch.setattr(timing.time, "perf_counter", Ticks(0.0, 1.0, 3.0, 7.0))
    seconds: dict[str, float] = {}
    with clock(seconds), timed("outer"), timed("inner"):
        pass
    assert seconds == {"inner": 2.0, "outer": 5.0}


def test_times_add_up_over_calls(monkeypatch):
    monkeypatch.setattr(timing.time, "perf_counter", Ticks(0.0, 1.0, 5.0, 5.5))
    seconds = {"a": 10.0}
    with clock(seconds):
        for _ in range(2):
            with timed("a"):
                pass
    assert seconds == {"a": 11.5}


def test_without_a_clock_nothing_is_read(monkeypatch):
    monkeypatch.setattr(timing.time, "perf_counter", Ticks())
    with timed("a"):
        pass


def test_an_error_ends_the_stretch():
    seconds: dict[str, float] = {}
    with clock(seconds):
        try:
            with timed("a"):
                raise KeyError
        except KeyError:
            pass
        time.sleep(0.01)
        with timed("b"):
            pass
    assert seconds["a"] < 0.01
