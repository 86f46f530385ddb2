"""Toy models: small enough that the answer is known, or can be seen, and every page beside its control.

    EXPERIMENTS, Experiment, run_experiment    every experiment by name: its settings, and what runs it
    Exhibit                                    what an experiment returns: an answer, panels, findings
    Curves, Line, Heatmap, Arrows, ArrowFrame, Table    the panels, as plain values
    train, ToyConfig, Inputs, ToyTrainConfig   stacks of models that learn to pass features through few dimensions
    read, dimensionality, recognise            what such a model holds: counts, capacities, polytopes

An experiment is a function of a frozen config that returns an `Exhibit`: sentences with the numbers in
them, plots as numbers, findings with their controls. The same config gives the same exhibit, bit for bit.
Names are resolved when they are first used, so that listing the experiments costs no torch.
"""

from typing import TYPE_CHECKING

from monosema.core.lazy import lazily

if TYPE_CHECKING:
    from monosema.core.exhibits import ArrowFrame, Arrows, Curves, Exhibit, Heatmap, Line, Table
    from monosema.toys.absorption import hierarchy_dictionaries
    from monosema.toys.capacity import dimensionality, features_per_dimension, leverage
    from monosema.toys.collapse import collapse_features
    from monosema.toys.dictionaries import dictate
    from monosema.toys.experiments import EXPERIMENTS, Experiment, run_experiment
    from monosema.toys.geometry import Geometry, recognise
    from monosema.toys.inputs import Inputs, uniform_inputs
    from monosema.toys.ledger import absorption_ledger
    from monosema.toys.marginal import marginal_value
    from monosema.toys.memorisation import memorise
    from monosema.toys.phase import phase_diagram
    from monosema.toys.readings import Reading, read, rescaled
    from monosema.toys.superposition import ToyConfig, Toys
    from monosema.toys.sweeps import sweep
    from monosema.toys.training import ToyRun, ToyTrainConfig, train

__all__ = [
    "EXPERIMENTS",
    "ArrowFrame",
    "Arrows",
    "Curves",
    "Exhibit",
    "Experiment",
    "Geometry",
    "Heatmap",
    "Inputs",
    "Line",
    "Reading",
    "Table",
    "ToyConfig",
    "ToyRun",
    "ToyTrainConfig",
    "Toys",
    "absorption_ledger",
    "collapse_features",
    "dictate",
    "dimensionality",
    "features_per_dimension",
    "hierarchy_dictionaries",
    "leverage",
    "marginal_value",
    "memorise",
    "phase_diagram",
    "read",
    "recognise",
    "rescaled",
    "run_experiment",
    "sweep",
    "train",
    "uniform_inputs",
]

_HOMES = {
    "EXPERIMENTS": "experiments",
    "ArrowFrame": "monosema.core.exhibits",
    "Arrows": "monosema.core.exhibits",
    "Curves": "monosema.core.exhibits",
    "Exhibit": "monosema.core.exhibits",
    "Experiment": "experiments",
    "Geometry": "geometry",
    "Heatmap": "monosema.core.exhibits",
    "Inputs": "inputs",
    "Line": "monosema.core.exhibits",
    "Reading": "readings",
    "Table": "monosema.core.exhibits",
    "ToyConfig": "superposition",
    "ToyRun": "training",
    "ToyTrainConfig": "training",
    "Toys": "superposition",
    "absorption_ledger": "ledger",
    "collapse_features": "collapse",
    "dictate": "dictionaries",
    "dimensionality": "capacity",
    "features_per_dimension": "capacity",
    "hierarchy_dictionaries": "absorption",
    "leverage": "capacity",
    "marginal_value": "marginal",
    "memorise": "memorisation",
    "phase_diagram": "phase",
    "read": "readings",
    "recognise": "geometry",
    "rescaled": "readings",
    "run_experiment": "experiments",
    "sweep": "sweeps",
    "train": "training",
    "uniform_inputs": "inputs",
}

__getattr__ = lazily(__name__, _HOMES)
