"""One `fit` for every method: normalise, find a direction, settle its sign, freeze.

data --normalise--> Rows --method--> Fitted --sign--> Probe
"""

from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from monosema.core.errors import DataError, DivergedError
from monosema.probes import ccs
from monosema.probes.data import Contrast, Data
from monosema.probes.normalising import normalised, statistics
from monosema.probes.probe import Probe, require_rows
from monosema.probes.rows import Fitted, Rows
from monosema.probes.settings import CCSConfig
from monosema.probes.table import Method, function_of, method_of

LEAST_ROWS = 2
"""Of each class."""


def fit(config: Any, data: Data, seed: int = 0) -> Probe:
    """The probe of the method that `config` is the settings of, fitted on `data`. The same call gives the same probe.

    Supervised methods read pairs by their differences. Raises DataError: statements for a method that needs pairs,
    fewer than two rows of a class; DivergedError: a fit that is not finite.
    """
    return fit_labellings(config, data, data.y.long()[None], seed)[0]


def fit_labellings(config: Any, data: Data, labels: Int64[Tensor, "labelling n"], seed: int = 0) -> list[Probe]:
    """`fit` under each of several labellings of the same rows, which share all that does not depend on labels."""
    name, method = method_of(config)
    rows, frame = _prepared(name, method, config, data)
    found = function_of(method)(config, rows, labels, seed)
    if method.supervised:
        return [_probe(frame, fitted) for fitted in found]
    return [settled(config, _probe(frame, found[0]), data.relabelled(y)) for y in labels]


def fit_restarts(config: CCSConfig, data: Contrast, seed: int = 0) -> list[Probe]:
    """A probe from every restart of CCS, lowest loss first: members for an ensemble."""
    name, method = method_of(config)
    rows, frame = _prepared(name, method, config, data)
    found = sorted(ccs.restarts(config, rows, seed), key=lambda fitted: fitted.loss)
    return [settled(config, _probe(frame, fitted), data) for fitted in found]


def settled(config: Any, probe: Probe, data: Data) -> Probe:
    """The probe with the sign that is right for most of `data`, where its config asks for that."""
    if config.sign == "unsettled":
        return replace(probe, sign="unsettled")
    named = replace(probe, sign="by most training labels")
    right = (named.predict(data) == data.y).double().mean()
    return named if right >= 0.5 else named.flipped()


def _prepared(name: str, method: Method, config: Any, data: Data) -> tuple[Rows, Probe]:
    """The rows that a method sees, and a probe that lacks its direction."""
    paired = isinstance(data, Contrast)
    if method.pairs and not paired:
        raise DataError(f"{name} needs pairs: give it a Contrast of both completions, or use a method for statements")
    require_rows(data, LEAST_ROWS)
    shift, scale = statistics(data.sides, config.normalisation)
    reads: Any = method.reads if paired else "statement"
    empty = torch.zeros_like(shift[0])
    frame = Probe(
        name, empty, 0.0, shift, scale, config.normalisation, reads=reads, sign="supervised", loss=float("nan")
    )
    return Rows(normalised(data.sides, shift, scale), data.groups), frame


def _probe(frame: Probe, fitted: Fitted) -> Probe:
    if not (torch.isfinite(fitted.direction).all() and fitted.direction.any()):
        raise DivergedError(f"{frame.method} found no direction: are the activations of both classes all the same?")
    return replace(frame, direction=fitted.direction, bias=fitted.bias, loss=fitted.loss)
