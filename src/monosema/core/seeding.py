"""Random numbers that depend on a seed and on what they are for, and on nothing else.

`generator(seed, "shuffle", epoch)` gives the same stream on every machine and in every order of
calls, so that adding a dictionary to a sweep changes no other dictionary's numbers.
"""

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derive(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for `purpose`, the same wherever it is asked for."""
    text = json.dumps([seed, *purpose])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def generator(seed: int, *purpose: str | int, device: str = "cpu") -> "torch.Generator":
    """A torch generator seeded by `derive(seed, *purpose)`."""
    import torch

    return torch.Generator(device=device).manual_seed(derive(seed, *purpose))
