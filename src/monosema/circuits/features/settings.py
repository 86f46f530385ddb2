"""What is asked of a circuit of features. No torch in this file."""

from dataclasses import dataclass
from typing import Literal

from monosema.core.config import require, require_range

Baseline = Literal["corrupted", "zero", "mean"]
"""What a node is moved to: its value on the corrupted prompt, nothing, or its mean over the prompts."""

SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True)
class CircuitConfig:
    """metric   what is measured of the last token's logits
    baseline     what nodes are moved to when their effects are estimated
    steps        points of the integrated gradients
    positions    whether a node is a feature at one position; else at all of them, as prompts of unlike build need
    top          nodes of the circuit that is shown, and that are also ablated exactly
    sizes        nodes of the circuits of the curves
    held_out     share of the pairs on which circuits are measured; they are found on the others
    random       random circuits of each size
    rows         prompts in a forward pass
    """

    metric: Literal["logit_diff", "probability", "loss"] = "logit_diff"
    baseline: Baseline = "corrupted"
    steps: int = 10
    positions: bool = True
    top: int = 20
    sizes: tuple[int, ...] = SIZES
    held_out: float = 0.5
    random: int = 10
    rows: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "top", "random", "rows"):
            require_range(name, getattr(self, name), 1)
        require_range("held_out", self.held_out, 0.05, 0.95)
        require(len(self.sizes) > 0, "sizes is empty: give at least one number of nodes")
        for size in self.sizes:
            require_range("sizes", size, 1)
        require(list(self.sizes) == sorted(set(self.sizes)), "sizes must rise, each given once")
