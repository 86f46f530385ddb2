"""The table of experiments. To add one: a frozen config in a file without torch, a function, a line here."""

from typing import Any

from monosema.core.exhibits import Exhibit
from monosema.core.experiments import Experiment, run
from monosema.toys.algorithmic.algorithmic_config import AlgorithmicConfig
from monosema.toys.multicomponent.scurve_config import ScurveConfig
from monosema.toys.settings import (
    AbsorptionConfig,
    CapacityConfig,
    ComputationConfig,
    CorrelatedConfig,
    PhaseConfig,
    SuperpositionConfig,
)

EXPERIMENTS: dict[str, Experiment] = {
    "superposition": Experiment(
        SuperpositionConfig,
        "monosema.toys.answers.superposition:superposition",
        "more features than dimensions: shapes, what collapses first, what a few rows leave behind",
    ),
    "correlated": Experiment(
        CorrelatedConfig,
        "monosema.toys.answers.correlated:correlated",
        "features that occur together, and features that never do: where each lies",
    ),
    "computation": Experiment(
        ComputationConfig,
        "monosema.toys.answers.computation:computation",
        "neurons that compute |x|: which serve one feature, and what they save",
    ),
    "capacity": Experiment(
        CapacityConfig, "monosema.toys.answers.capacity:capacity", "does the Frobenius norm count features?"
    ),
    "phase": Experiment(
        PhaseConfig, "monosema.toys.answers.phase:phase", "importance against density: where a second feature fits in"
    ),
    "absorption": Experiment(
        AbsorptionConfig, "monosema.toys.answers.absorption:absorption", "why dictionaries with untied weights absorb"
    ),
    "scurve": Experiment(
        ScurveConfig, "monosema.toys.multicomponent.scurve:scurve", "sums of products: when learning comes in steps"
    ),
    "algorithmic": Experiment(
        AlgorithmicConfig,
        "monosema.toys.algorithmic.algorithmic:algorithmic",
        "palindromes, sorting, sums, brackets, ...: what a small transformer learns",
    ),
}
"""Every experiment, by the name that `monosema toy NAME` takes."""


def run_experiment(config: Any) -> Exhibit:
    """The exhibit of the experiment that `config` is the settings of."""
    return run(EXPERIMENTS, config)
