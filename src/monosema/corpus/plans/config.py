"""Which language with plans. Imports no torch."""

from dataclasses import dataclass
from typing import Literal

from monosema.core.config import require, require_range

Sight = Literal["planner", "no plan", "free"]
"""What a couplet's model may look at: see `Couplets.sees`."""

SIGHTS: tuple[Sight, ...] = ("planner", "no plan", "free")

Templates = Literal["memoriser", "planner", "unplanned"]
"""Which documents a language of articles has: see `Articles`."""

TEMPLATES: tuple[Templates, ...] = ("memoriser", "planner", "unplanned")


@dataclass(frozen=True)
class CoupletsConfig:
    """Couplets. With two candidates the first line names two topics, and the end word is of the first of them with
    probability `share`, else of the second. The tables are drawn from `seed`."""

    candidates: int = 1
    share: float = 0.7
    seed: int = 0

    def __post_init__(self) -> None:
        require_range("candidates", self.candidates, 1, 2)
        require_range("share", self.share, 0.0, 1.0)


@dataclass(frozen=True)
class ArticlesConfig:
    """Articles. `held_out` of the 100 pairs never come with an article. The tables are drawn from `seed`."""

    templates: Templates = "planner"
    held_out: int = 25
    seed: int = 0

    def __post_init__(self) -> None:
        require(
            self.templates in TEMPLATES, f"templates is '{self.templates}': it must be one of {', '.join(TEMPLATES)}"
        )
        require_range("held_out", self.held_out, 0, 99)
