"""`monosema planning`: small models that plan, and that do not, measured as a page."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import FlagCreatePairsOff

from monosema.circuits.planning.settings import Language, LearningConfig, PlanningConfig
from monosema.cli.showing import Outcome


@dataclass(frozen=True)
class Arguments:
    """Train small models of a language with plans, and ask where they plan: OUT/LANGUAGE.html, .json, LANGUAGE/*.svg.

    couplets: the end word of a line is settled before the line begins; models that must plan, cannot, and need not.
    articles: "a" or "an" before a noun that comes later. Prints the answer and the findings, each with its control.
    """

    language: Language = "couplets"
    """couplets or articles."""
    models: int = 1
    """Models trained of each kind."""
    couplets: int = 512
    """Couplets on which each is measured."""
    steps: int = 450
    """Training steps of each model."""
    seed: int = 0
    """Of the first model; the others count on."""
    out: Path = Path("planning")
    """Folder to write to."""
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Train, measure, and write what was seen."""
    a = arguments
    config = PlanningConfig(a.language, a.models, a.couplets, a.seed, LearningConfig(steps=a.steps))

    from monosema.circuits.planning.experiments import run_planning
    from monosema.cli.exhibiting import written

    other = "articles" if a.language == "couplets" else "couplets"
    return written(run_planning(config), a.out, f"monosema planning --language {other} --out {a.out}")
