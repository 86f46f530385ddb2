"""Settings of the experiment `scurve`. No torch."""

from dataclasses import dataclass

from monosema.core.config import require, require_range


@dataclass(frozen=True)
class ScurveConfig:
    """When does learning come in steps, and when do the steps run together?"""

    values: tuple[float, ...] = (8.0, 2.0, 0.5)
    """Sizes of the components of the first target, from the largest."""
    size: int = 10
    """Rows and columns of the targets; of those with cross-entropy, twice as many."""
    init: float = 1e-6
    """Deviation of the initial factors."""
    n_seeds: int = 8
    """Initial factors drawn for each curve."""
    grid: int = 12
    """Points along each side of the maps of the second plateau."""
    grid_seeds: int = 4
    """Initial factors drawn for each cell of the maps."""
    steps: int = 3000
    """Of gradient flow in each cell of the maps; Adam takes half as many."""
    lr_adam: float = 0.01
    """Adam's learning rate."""
    share: float = 0.25
    """Of the target's entries in a step of SGD."""
    n_many: int = 10
    """Components of the target of many: value i is that of the first target's largest over i."""
    steps_kl: int = 4000
    """Of the runs with cross-entropy."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("n_seeds", 2), ("grid", 3), ("grid_seeds", 1), ("steps", 100), ("steps_kl", 100)):
            require_range(name, getattr(self, name), least)
        require_range("init", self.init, 0.0, 0.1, open_low=True)
        fits = 2 <= len(self.values) <= self.size and self.n_many <= self.size
        require(fits, f"size {self.size} must hold {len(self.values)} values (two or more) and n_many {self.n_many}")
