"""The table of mechanisms. To add one: a frozen config in `settings`, claims with their bars, a study, a line here."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from monosema.core.exhibits import Exhibit
from monosema.pipeline.mechanisms.settings import CumulativeConfig, ModularConfig


@dataclass(frozen=True)
class Mechanism:
    """`config` is the frozen dataclass of its settings, `function` where it runs ('package.module:name'),
    `about` a line of help."""

    config: type
    function: str
    about: str


MECHANISMS: dict[str, Mechanism] = {
    "modular_addition": Mechanism(
        ModularConfig,
        "monosema.pipeline.mechanisms.modular_addition:modular_addition",
        "numbers on circles: which frequencies, what they cost, and a formula for the logits",
    ),
    "cumulative_sums": Mechanism(
        CumulativeConfig,
        "monosema.pipeline.mechanisms.cumulative_sums:cumulative_sums",
        "a mean along one direction: how it is written and read, and a rule for the errors",
    ),
}
"""Every mechanism, by the name that `monosema mechanism NAME` takes."""


def run_mechanism(config: Any) -> Exhibit:
    """The exhibit of the mechanism that `config` is the settings of."""
    mechanism = next(found for found in MECHANISMS.values() if type(config) is found.config)
    module, _, name = mechanism.function.partition(":")
    return getattr(import_module(module), name)(config)
