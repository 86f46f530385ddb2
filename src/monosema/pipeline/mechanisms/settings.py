"""What the studies of mechanisms run. Imports no torch."""

from dataclasses import dataclass

from monosema.core.config import require, require_range
from monosema.toys.algorithmic.recipes import RECIPES, GrokConfig, Recipe


@dataclass(frozen=True)
class ModularConfig:
    """How does a small transformer add modulo a number?"""

    models: int = 1
    """Models trained, each from a seed of its own."""
    seed: int = 10
    """Of the first model; the others count on. The bars were set on seeds below 10."""
    steps: int = 1000
    """Training steps of each model."""
    modulus: int = 53
    """Numbers are added modulo this: odd, so that every frequency has a cosine and a sine."""
    share: float = 0.5
    """Of all pairs, those that are trained on."""
    d_model: int = 64
    d_mlp: int = 128

    def __post_init__(self) -> None:
        require_range("models", self.models, 1)
        require_range("modulus", self.modulus, 7)
        require(self.modulus % 2 == 1, f"modulus is {self.modulus}: give an odd number")
        self.of(self.seed)

    def of(self, seed: int) -> GrokConfig:
        """The training of the model of a seed."""
        return GrokConfig(
            modulus=self.modulus,
            share=self.share,
            steps=self.steps,
            d_model=self.d_model,
            d_mlp=self.d_mlp,
            seed=seed,
        )


@dataclass(frozen=True)
class CumulativeConfig:
    """How does a small transformer keep count?"""

    models: int = 1
    """Models trained, each from a seed of its own."""
    seed: int = 10
    """Of the first model; the others count on. The bars were set on seeds below 10."""
    steps: int = 1200
    """Training steps of each model."""
    n_sequences: int = 2000
    """Fresh sequences on which everything is measured; as many others for what has to be fitted."""

    def __post_init__(self) -> None:
        require_range("models", self.models, 1)
        require_range("n_sequences", self.n_sequences, 64)
        require_range("steps", self.steps, 1)

    @property
    def recipe(self) -> Recipe:
        """The task's recipe with these steps."""
        return Recipe(**{**vars(RECIPES["cumulative_sums"]), "steps": self.steps})
