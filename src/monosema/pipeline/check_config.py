"""The settings of a check. Imports no torch."""

from dataclasses import dataclass

from monosema.core.config import require_range


@dataclass(frozen=True)
class CheckConfig:
    """What is trained and measured to check a run.

    rows         activations that each dictionary trained for the check sees, at most as many as the run's own
    seeds        other seeds that each dictionary is trained with, on the model and on both controls
    max_tokens   held-out positions behind fidelity and features
    n_features   drawn from each dictionary, to be scored one by one
    n_important  of these, whose importance is measured
    quick        train nothing: only what the run holds, and random directions
    """

    rows: int = 100_000
    seeds: int = 3
    max_tokens: int = 16_384
    n_features: int = 128
    n_important: int = 32
    quick: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rows", "seeds", "max_tokens", "n_features"):
            require_range(name, getattr(self, name), 1)
        require_range("n_important", self.n_important, 0, self.n_features)
