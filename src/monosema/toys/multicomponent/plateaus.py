"""Where a loss curve waits: between two drops, or before the first.

    ----.                 a plateau before the first drop
         |
          `-----.         a plateau between two
                 |
                  `----   the level on which training ends is none

A drop is a stretch on which the loss falls fast. A plateau is a stretch before a drop on which it falls at less than
a tenth of that drop's fastest and, if there was a drop before, of that one's too: it slows tenfold, and then speeds
up tenfold. A pure exponential, which only slows, has none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

SLOW = 0.1
"""Speed on a plateau, at most, as a share of the fastest of the drops beside it."""

LEAST_DROP = 0.001
"""A drop takes at least this share of the loss at the start."""


@dataclass(frozen=True)
class Plateau:
    """A wait. `height` is the loss where it falls slowest; from `start` to `end` it is slow, in the curve's times."""

    height: float
    start: float
    end: float

    @property
    def length(self) -> float:
        """In the curve's unit of time."""
        return self.end - self.start


def plateaus(times: Sequence[int | float], losses: Sequence[float]) -> tuple[Plateau, ...]:
    """The plateaus of a curve, in order. Where the loss rises, its speed counts as 0."""
    points = list(zip(times, losses, strict=True))
    speeds = [max(0.0, (a - b) / (t - s)) for (s, a), (t, b) in pairwise(points)]
    found = []
    before = None
    for peak in drops(speeds, losses):
        first = 0 if before is None else before
        bar = SLOW * min(speeds[peak], speeds[peak if before is None else before])
        slow = [i for i in range(first, peak) if speeds[i] < bar]
        if slow:
            slowest = min(slow, key=speeds.__getitem__)
            found.append(Plateau(losses[slowest], float(times[slow[0]]), float(times[slow[-1] + 1])))
        before = peak
    return tuple(found)


def drops(speeds: Sequence[float], losses: Sequence[float]) -> list[int]:
    """Where each drop is fastest: peaks of the speed, with a tenth of both in every valley between two."""
    peaks, valleys = _turns(speeds)
    ends = [0, *valleys, len(losses) - 1]
    least = LEAST_DROP * losses[0]
    return [peak for i, peak in enumerate(peaks) if losses[ends[i]] - losses[ends[i + 1]] >= least]


def _turns(speeds: Sequence[float]) -> tuple[list[int], list[int]]:
    """Peaks, and the valleys between them: a turn counts once the speed has changed tenfold since."""
    peaks, valleys, turn, rising = [], [], 0, True
    for i, speed in enumerate(speeds):
        if rising and speed < SLOW * speeds[turn]:
            peaks.append(turn)
            turn, rising = i, False
        elif not rising and SLOW * speed > speeds[turn]:
            valleys.append(turn)
            turn, rising = i, True
        elif (speed > speeds[turn]) == rising:
            turn = i
    return ([*peaks, turn], valleys) if rising else (peaks, valleys)
