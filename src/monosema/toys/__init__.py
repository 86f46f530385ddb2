"""Toy models: small enough that the answer is known, or can be seen, and every page beside its control.

    EXPERIMENTS, Experiment, run_experiment    every experiment by name: its settings, and what runs it
    Exhibit                                    what an experiment returns: an answer, panels, findings
    Curves, Line, Heatmap, Arrows, ArrowFrame, Table    the panels, as plain values

An experiment is a function of a frozen config that returns an `Exhibit`: sentences with the numbers in
them, plots as numbers, findings with their controls. The same config gives the same exhibit, bit for bit.
Names are resolved when they are first used, so that listing the experiments costs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monosema.toys.exhibits import ArrowFrame, Arrows, Curves, Exhibit, Heatmap, Line, Table
    from monosema.toys.experiments import EXPERIMENTS, Experiment, run_experiment

__all__ = [
    "EXPERIMENTS",
    "ArrowFrame",
    "Arrows",
    "Curves",
    "Exhibit",
    "Experiment",
    "Heatmap",
    "Line",
    "Table",
    "run_experiment",
]

_HOMES = {
    "EXPERIMENTS": "experiments",
    "ArrowFrame": "exhibits",
    "Arrows": "exhibits",
    "Curves": "exhibits",
    "Exhibit": "exhibits",
    "Experiment": "experiments",
    "Heatmap": "exhibits",
    "Line": "exhibits",
    "Table": "exhibits",
    "run_experiment": "experiments",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'monosema.toys' has no attribute '{name}'")
    return getattr(import_module(f"monosema.toys.{_HOMES[name]}"), name)
