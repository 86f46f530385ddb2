"""Settings of the experiment `algorithmic`. No torch."""

from dataclasses import dataclass, field

from monosema.core.config import require, require_range
from monosema.core.errors import ConfigError, unknown
from monosema.toys.algorithmic.recipes import RECIPES, GrokConfig


@dataclass(frozen=True)
class AlgorithmicConfig:
    """Which tasks does a small transformer learn, beside what knows nothing?"""

    tasks: tuple[str, ...] = tuple(RECIPES)
    """Which tasks; modular addition has its own settings, below."""
    steps_share: float = 0.25
    """Of the steps in each task's recipe; 1 for the full recipes."""
    n_test: int = 1000
    """Sequences that each model is asked."""
    grok: GrokConfig = field(default_factory=GrokConfig)
    """Modular addition from a part of all sums."""
    seed: int = 0

    def __post_init__(self) -> None:
        require(len(self.tasks) > 0, "no task: give some of " + ", ".join(RECIPES))
        for name in self.tasks:
            if name not in RECIPES:
                raise ConfigError(unknown("task", name, RECIPES))
        require_range("steps_share", self.steps_share, 0.0, open_low=True)
        require_range("n_test", self.n_test, 2)
