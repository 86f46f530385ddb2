"""How a model of each task is trained. No torch."""

from dataclasses import dataclass

from monosema.core.config import require, require_range


@dataclass(frozen=True)
class Recipe:
    """A small transformer and its training: AdamW, linear warm-up over a twentieth of the steps, then a cosine to zero.

    Every step sees fresh sequences, so that nothing can be learnt by heart.
    """

    n_layers: int = 2
    d_model: int = 64
    n_heads: int = 4
    d_mlp: int = 128
    steps: int = 1200
    batch_size: int = 64
    lr: float = 3e-3
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        for name in ("n_layers", "d_model", "n_heads", "steps", "batch_size"):
            require_range(name, getattr(self, name), 1)
        require(self.d_model % self.n_heads == 0, f"d_model {self.d_model} is not a multiple of n_heads {self.n_heads}")
        require_range("lr", self.lr, 0.0, open_low=True)


RECIPES: dict[str, Recipe] = {
    "palindromes": Recipe(steps=2400),
    "first_unique": Recipe(steps=1600),
    "digit_sums": Recipe(steps=2400),
    "sorted_lists": Recipe(),
    "cumulative_sums": Recipe(),
    "caesar": Recipe(steps=2400),
    "trigrams": Recipe(),
    "balanced_brackets": Recipe(steps=1600),
}
"""By task. Modular addition learns from a fixed part of all sums, and has settings of its own (`grokking`)."""


@dataclass(frozen=True)
class GrokConfig:
    """Modular addition from a part of all sums, with one layer and no norm."""

    modulus: int = 29
    """Numbers are added modulo this."""
    share: float = 0.5
    """Of all pairs, those that are trained on."""
    steps: int = 2400
    """Full-batch steps."""
    lr: float = 1e-2
    weight_decay: float = 1.0
    d_model: int = 48
    n_heads: int = 4
    d_mlp: int = 96
    every: int = 25
    """Steps between two measurements."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("modulus", 2), ("steps", 1), ("d_model", 1), ("n_heads", 1), ("d_mlp", 0), ("every", 1)):
            require_range(name, getattr(self, name), least)
        require(self.d_model % self.n_heads == 0, f"d_model {self.d_model} is not a multiple of n_heads {self.n_heads}")
        require_range("share", self.share, 0.0, 0.95, open_low=True)
