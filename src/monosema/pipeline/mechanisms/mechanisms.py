"""The table of mechanisms. To add one: a frozen config in `settings`, claims with their bars, a study, a line here."""

from typing import Any

from monosema.core.exhibits import Exhibit
from monosema.core.experiments import Experiment, run
from monosema.pipeline.mechanisms.settings import CumulativeConfig, ModularConfig

MECHANISMS: dict[str, Experiment] = {
    "modular_addition": Experiment(
        ModularConfig,
        "monosema.pipeline.mechanisms.modular_addition:modular_addition",
        "numbers on circles: which frequencies, what they cost, and a formula for the logits",
    ),
    "cumulative_sums": Experiment(
        CumulativeConfig,
        "monosema.pipeline.mechanisms.cumulative_sums:cumulative_sums",
        "a mean along one direction: how it is written and read, and a rule for the errors",
    ),
}
"""Every mechanism, by the name that `monosema mechanism NAME` takes."""


def run_mechanism(config: Any) -> Exhibit:
    """The exhibit of the mechanism that `config` is the settings of."""
    return run(MECHANISMS, config)
