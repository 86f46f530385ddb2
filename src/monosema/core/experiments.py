"""Experiments by name: the settings of each, where it runs, and a line about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from monosema.core.exhibits import Exhibit


@dataclass(frozen=True)
class Experiment:
    """`config` is the frozen dataclass of its settings, `function` where it runs ('package.module:name'),
    `about` a line of help."""

    config: type
    function: str
    about: str


def run(table: Mapping[str, Experiment], config: Any) -> Exhibit:
    """The exhibit of the experiment in `table` that `config` is the settings of."""
    experiment = next(found for found in table.values() if type(config) is found.config)
    module, _, name = experiment.function.partition(":")
    return getattr(import_module(module), name)(config)
