"""One dictionary in training: its weights, its optimiser, its counters. The trainer drives it.

add: loss -> gradient        step: take off what is parallel to decoder rows -> clip -> Adam -> unit rows
"""

import math
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.seeding import generator
from monosema.core.timing import timed
from monosema.dictionaries import resampling
from monosema.dictionaries.architecture import Moment, Terms
from monosema.dictionaries.dictionary import Dictionary
from monosema.dictionaries.l1 import L1Config
from monosema.dictionaries.layers import Layers
from monosema.dictionaries.optimiser import Adam
from monosema.dictionaries.scaling import Scaling, folded
from monosema.dictionaries.spec import DictionarySpec, usual_lr
from monosema.dictionaries.weights import Weights, initial

STATISTIC_DECAY = 0.95
"""Statistics are averaged over about the last 1 / (1 - decay) steps, in float64."""

HOPELESS_MSE = 1e4
"""Activations have variance 1: an error beyond this is a divergence, finite or not."""


@dataclass(frozen=True)
class Length:
    """How long the whole run is."""

    rows: int
    steps: int


@final
class Learner:
    """A dictionary that learns from batches of scaled activations. It depends on its own spec and
    seed only: what trains beside it changes nothing."""

    def __init__(self, spec: DictionarySpec, scaling: Scaling, seed: int, device: str, length: Length) -> None:
        self.spec, self.scaling, self.seed, self.device, self.length = spec, scaling, seed, device, length
        self.rule = spec.rule()
        self.factor_in = scaling.factor(spec.reads)
        self.factor_out = scaling.factor(spec.writes)
        self.weights = self._initial_weights()
        n_features = spec.config.n_features
        self.silent = torch.zeros(n_features, dtype=torch.int64, device=device)
        self.statistics: dict[str, tuple[float, float]] = {}
        self.stopped = ""
        self.added: list[tuple[Terms, float]] = []
        o = spec.optimiser
        d_in = self.weights.W_enc.shape[1] // (len(spec.reads) if spec.cross_layer else 1)  # what one feature reads
        self.lr = usual_lr(d_in, length.steps) if o.lr is None else o.lr
        self.adam = Adam(self.weights.named(), ("W_dec",), (o.beta1, o.beta2), o.state)

    def _initial_weights(self) -> Weights:
        spec, random = self.spec, generator(self.seed, self.spec.name, "weights")
        tied = isinstance(spec.config, L1Config) and spec.config.tied
        mean_in, mean_out = self.scaling.mean(spec.reads), self.scaling.mean(spec.writes)
        centred, layers = spec.reads == spec.writes, None
        if spec.cross_layer:
            layers = Layers.split(spec.config.n_features, self._widths(spec.reads), self._widths(spec.writes))
        weights = initial(
            spec.config.n_features, mean_in, mean_out, centred=centred, tied=tied, generator=random, layers=layers
        )
        weights.extra.update(self.rule.extra(spec.config.n_features))
        weights.b_enc.add_(self.rule.first_bias(spec.config.n_features))
        if not tied:
            scaled = [weights.extra[name] for name in self.rule.scaled_extra if name in weights.extra]
            for tensor in (weights.W_enc, weights.b_enc, *scaled):
                tensor.mul_(self.rule.first_scale)
        ready = {name: t.to(self.device).requires_grad_() for name, t in weights.named().items()}
        return weights.replaced(ready)

    def _widths(self, sites: tuple[str, ...]) -> tuple[int, ...]:
        return tuple(len(self.scaling.means[site]) for site in sites)

    def add(
        self, x: Float[Tensor, "batch d_in"], y: Float[Tensor, "batch d_out"], progress: float, share: float
    ) -> None:
        """Add `share` of the gradient on these scaled rows to that of the step being made."""
        with timed("loss"):
            terms = self.rule.loss(self.weights, x, y, Moment(progress, self.silent, self.length.rows))
        with timed("backward"):
            (share * terms.loss).backward()
            self.weights.clear_gradient()
        self.added.append((terms, share))

    def step(self, progress: float) -> dict[str, Any]:
        """One optimiser step with the gradient that was added; returns the row for the log. On a loss or
        gradient that is not finite nothing is changed and `stopped` says why."""
        added, self.added = self.added, []
        with timed("optimiser"):
            row = _averaged(added) | {"grad_norm": self.adam.gradient_norm()}
            norm = row["grad_norm"]
            if not (math.isfinite(row["loss"]) and math.isfinite(norm) and row["mse"] < HOPELESS_MSE):
                self.stopped = f"loss {row['loss']:.3g}, gradient norm {norm:.3g}"
                return row
            optimiser = self.spec.optimiser
            row["lr"] = self.lr * optimiser.at(progress)
            self.adam.step(row["lr"], min(1.0, optimiser.clip / norm) if norm > 0 else 1.0)
            self.adam.zero_grad()
            self.rule.project(self.weights)
        row["silent"] = self._count([terms for terms, _ in added])
        return row

    def _count(self, added: list[Terms]) -> int:
        """Update the counters; returns how many features fired on none of these rows."""
        rows = sum(len(terms.codes) for terms in added)
        fired = torch.stack([terms.codes.counts() for terms in added]).sum(0) > 0
        self.silent = torch.where(fired, 0, self.silent + rows)
        for name, value in [pair for terms in added for pair in terms.statistics.items()]:
            total, weight = self.statistics.get(name, (0.0, 0.0))
            self.statistics[name] = (STATISTIC_DECAY * total + value, STATISTIC_DECAY * weight + 1.0)
        return int((~fired).sum())

    def resample(self, rows: resampling.Rows, step: int, window: int) -> int:
        """Resample what has been silent for `window` rows; returns how many features that was."""
        random = generator(self.seed, self.spec.name, "resample", step)
        penalty = self.spec.config.penalty
        changed = resampling.resample(self.weights, self.rule, self.silent >= window, rows, penalty, random)
        self.adam.forget(changed, ("W_dec", "b_enc") if self.weights.tied else ("W_enc", "W_dec", "b_enc"))
        self.silent[changed] = 0
        return len(changed)

    def finished(self, metadata: dict[str, Any]) -> Dictionary:
        """The dictionary as it stands, in the units of the model's activations."""
        means = {name: total / weight for name, (total, weight) in self.statistics.items()}
        weights = self.weights.detached()
        weights.extra.update(self.rule.inference_extra(means, weights.n_features))
        weights = folded(weights, self.rule, self.factor_in.to(self.device), self.factor_out.to(self.device))
        spec = self.spec
        keep = torch.ones(weights.n_features, dtype=torch.bool, device=self.device)
        details = {"optimiser": spec.to_json()["optimiser"] | {"lr": self.lr}, **metadata}
        return Dictionary(
            spec.architecture,
            self.rule,
            weights,
            spec.reads,
            spec.writes,
            self._widths(spec.reads),
            self._widths(spec.writes),
            keep,
            details,
        )

    def tensors(self) -> dict[str, Tensor]:
        """All that a checkpoint needs beside `state`."""
        named = self.weights.named()
        out = {name: tensor.detach() for name, tensor in named.items()} | {"silent": self.silent}
        return out | {f"adam.{name}": moment for name, moment in self.adam.tensors().items()}

    def state(self) -> dict[str, Any]:
        """The numbers of a checkpoint; float64 survives JSON exactly."""
        return {"spec": self.spec.to_json(), "statistics": self.statistics, "stopped": self.stopped, "t": self.adam.t}

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Stand where `tensors` and `state` were taken."""
        self.silent = tensors["silent"].to(self.device)
        self.statistics = {name: (pair[0], pair[1]) for name, pair in state["statistics"].items()}
        self.stopped = state["stopped"]
        for name, parameter in self.weights.named().items():
            parameter.copy_(tensors[name])
        moments = {name.removeprefix("adam."): t for name, t in tensors.items() if name.startswith("adam.")}
        self.adam.restore(moments, state["t"])


def _averaged(added: list[tuple[Terms, float]]) -> dict[str, Any]:
    """The parts of the loss, the loss and l0, averaged over what was added to a step."""
    row: dict[str, Any] = {}
    for terms, share in added:
        numbers = {**terms.parts, "loss": terms.loss}
        numbers = {name: float(number.detach()) for name, number in numbers.items()}
        numbers["l0"] = len(terms.codes.values) / len(terms.codes)
        for name, number in numbers.items():
            row[name] = row.get(name, 0.0) + share * number
    return row
