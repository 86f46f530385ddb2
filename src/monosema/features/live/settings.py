"""What is asked of a prompt: how a feature is changed, and how text is sampled."""

import math
from dataclasses import dataclass

from monosema.core.config import require, require_range
from monosema.core.errors import unknown

HOWS = ("set", "scale", "clamp")
"""Set to a value at every usable position; multiplied; limited to at most."""

MOST_SAMPLED = 100
LARGEST = 1e6


@dataclass(frozen=True)
class Steer:
    """A change of a feature's activation a: `set` a' = value, `scale` a' = value * a, `clamp` a' = min(a, value)."""

    feature: int
    how: str
    value: float

    def __post_init__(self) -> None:
        require(self.how in HOWS, unknown("change", self.how, HOWS))
        require(math.isfinite(self.value), f"value is {self.value}: it must be a finite number")
        require_range("value", self.value, -LARGEST, LARGEST)


@dataclass(frozen=True)
class Draw:
    """How text is sampled behind the prompt: how many tokens, at which temperature (0: always the likeliest)."""

    n_tokens: int = 30
    temperature: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        require_range("tokens", self.n_tokens, 0, MOST_SAMPLED)
        require_range("temperature", self.temperature, 0, 100)
        require_range("seed", self.seed, 0)
