"""A number that looks random for every place, whatever the order and the batches places come in.

SplitMix64's finaliser (Steele, Lea and Flood 2014) on 64-bit integers; arithmetic wraps around.
Drawing the k smallest of such numbers is a uniform sample without replacement in one pass.
"""

from jaxtyping import Int64
from torch import Tensor

_GOLDEN, _FIRST, _SECOND = (c - (1 << 64) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_POSITIVE = (1 << 63) - 1


def mixed(places: Int64[Tensor, "*shape"], salt: int | Tensor) -> Int64[Tensor, "*shape"]:
    """For each place a number in [0, 2^63), another for every salt (a tensor of salts broadcasts)."""
    z = places * _GOLDEN + salt
    z = (z ^ _shifted(z, 30)) * _FIRST
    z = (z ^ _shifted(z, 27)) * _SECOND
    return (z ^ _shifted(z, 31)) & _POSITIVE


def _shifted(z: Tensor, by: int) -> Tensor:
    """Shift right, filling with zeros as unsigned numbers do."""
    return (z >> by) & ((1 << (64 - by)) - 1)
