"""What is asked of a model's heads. No torch in this file."""

from dataclasses import dataclass

from monosema.core.config import require_range


@dataclass(frozen=True)
class HeadsConfig:
    """repeated    random tokens that are repeated, to see where heads look
    sequences      of such tokens
    random         pairs of random matrices, whose composition is the baseline
    shown          heads and pairs of heads in each table
    """

    repeated: int = 25
    sequences: int = 16
    random: int = 200
    shown: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        require_range("repeated", self.repeated, 2)
        require_range("sequences", self.sequences, 2)
        require_range("random", self.random, 20)
        require_range("shown", self.shown, 1)
