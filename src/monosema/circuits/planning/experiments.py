"""The two experiments by the language that they are of."""

from monosema.circuits.planning.articles import articles
from monosema.circuits.planning.couplets import couplets
from monosema.circuits.planning.settings import PlanningConfig
from monosema.core.exhibits import Exhibit


def run_planning(config: PlanningConfig) -> Exhibit:
    """The exhibit of `config.language`. Raises DivergedError."""
    return couplets(config) if config.language == "couplets" else articles(config)
