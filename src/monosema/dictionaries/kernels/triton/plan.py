"""How a scan goes: the size of its tiles, and how many features it may nominate for a row.

The floor above which a row nominates comes from a sample of the features. With a share s = sample /
n_features, about s k of the row's k largest are in the sample; the floor is the `rank`-th largest there,

    rank = s k + 4 sqrt(s k) + 4

which by Poisson's law lies above the k-th largest of all in fewer than one row in 10^4. About rank / s
features then reach the floor; room is made for four times as many. Where either goes wrong the row is
done again (select.py), so the numbers here decide the speed and never the result.
"""

from dataclasses import dataclass
from math import ceil, sqrt

import torch

from monosema.dictionaries.kernels.triton.split import Precision, power_of_two

GROUP = 16
"""Features whose largest pre-activation stands for them all in the sample: a reduction inside a tile."""

SAMPLE, SHARE = 2048, 1 / 16
"""A sample is at least this many features, and this share of them."""

ROOM = 4
"""Places for candidates, against as many as are expected."""

WIDEST = 8192
"""Places that the kernel which ranks a row can hold."""


@dataclass(frozen=True)
class Tile:
    """rows x features: what one program multiplies, `depth` columns at a time."""

    rows: int
    features: int
    depth: int
    warps: int
    stages: int


@dataclass(frozen=True)
class Plan:
    """capacity: places for a row's candidates. sample, rank: the floor is the rank-th largest of so many
    features (see above); a selection by threshold needs none."""

    capacity: int
    sample: int = 0
    rank: int = 0


HOPPER = Tile(128, 256, 64, 8, 3)
AMPERE = Tile(128, 128, 32, 8, 4)
FLOAT32 = Tile(64, 64, 32, 4, 2)
INTERPRETED = Tile(32, 256, 32, 1, 1)


def plan_topk(k: int, n_features: int) -> Plan | None:
    """The plan for the k largest; None when so many are wanted that a dense product is the better way."""
    sample = min(n_features, max(SAMPLE, int(SHARE * n_features)))
    expected = k * sample / n_features
    rank = ceil(expected + 4 * sqrt(expected) + 4)
    room = room_for(ceil(rank * n_features / sample))
    if rank > sample // GROUP // 2 or room > min(WIDEST, n_features):
        return None
    return Plan(room, sample, rank)


def plan_above(expected: int, n_features: int) -> Plan | None:
    """The plan for a threshold that `expected` features of a row may pass; None: a dense product."""
    room = room_for(expected + 16)
    return None if room > n_features // 2 else Plan(room)


def room_for(expected: int) -> int:
    """Places for `expected` candidates, a power of two."""
    return power_of_two(ROOM * expected)


def tile_for(precision: Precision, device: torch.device) -> Tile:
    """A small table: the tiles that suit a chip's shared memory and registers."""
    if device.type != "cuda":
        return INTERPRETED
    if precision == "f32":
        return FLOAT32
    return HOPPER if torch.cuda.get_device_capability(device)[0] in (9, 10) else AMPERE
