"""One dictionary in training: its weights, its optimiser, its counters. The trainer drives it.

loss -> gradient -> take off what is parallel to decoder rows -> clip -> Adam -> unit rows
"""

import math
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.seeding import generator
from monosema.dictionaries import resampling
from monosema.dictionaries.architecture import Moment, Terms
from monosema.dictionaries.dictionary import Dictionary
from monosema.dictionaries.l1 import L1Config
from monosema.dictionaries.scaling import Scaling, folded
from monosema.dictionaries.spec import DictionarySpec
from monosema.dictionaries.weights import Weights, initial

STATISTIC_DECAY = 0.99
"""Statistics are averaged over about the last 1 / (1 - decay) steps, in float64."""

HOPELESS_MSE = 1e4
"""Activations have variance 1: an error beyond this is a divergence, finite or not."""

ADAM_EPSILON = 1e-10
"""Losses are means over coordinates; the usual 1e-8 would not be small against their gradients."""


@final
class Learner:
    """A dictionary that learns from batches of scaled activations. It depends on its own spec and
    seed only: what trains beside it changes nothing."""

    def __init__(self, spec: DictionarySpec, scaling: Scaling, seed: int, device: str) -> None:
        self.spec, self.scaling, self.seed, self.device = spec, scaling, seed, device
        self.rule = spec.rule()
        self.factor_in = scaling.factor(spec.reads)
        self.factor_out = scaling.factor(spec.writes)
        self.weights = self._initial_weights()
        n_features = spec.config.n_features
        self.silent = torch.zeros(n_features, dtype=torch.int64, device=device)
        self.statistics: dict[str, tuple[float, float]] = {}
        self.stopped = ""
        o = spec.optimiser
        trained = list(self.weights.named().values())
        self.adam = torch.optim.Adam(trained, lr=o.lr, betas=(o.beta1, o.beta2), eps=ADAM_EPSILON, fused=True)

    def _initial_weights(self) -> Weights:
        spec, random = self.spec, generator(self.seed, self.spec.name, "weights")
        tied = isinstance(spec.config, L1Config) and spec.config.tied
        mean_in, mean_out = self.scaling.mean(spec.reads), self.scaling.mean(spec.writes)
        centred = spec.reads == spec.writes
        weights = initial(spec.config.n_features, mean_in, mean_out, centred=centred, tied=tied, generator=random)
        weights.extra.update(self.rule.extra(spec.config.n_features))
        ready = {name: t.to(self.device).requires_grad_() for name, t in weights.named().items()}
        return weights.replaced(ready)

    def step(self, x: Float[Tensor, "batch d_in"], y: Float[Tensor, "batch d_out"], progress: float) -> dict[str, Any]:
        """One optimiser step on scaled rows; returns the row for the log. On a loss or gradient that
        is not finite nothing is changed and `stopped` says why."""
        terms = self.rule.loss(self.weights, x, y, Moment(progress, self.silent))
        self.adam.zero_grad()
        terms.loss.backward()
        self._take_off_parallel()
        norm = self._clip()
        row = {name: float(part.detach()) for name, part in terms.parts.items()}
        row |= {"loss": float(terms.loss.detach()), "l0": len(terms.codes.values) / len(x), "grad_norm": norm}
        if not (math.isfinite(row["loss"]) and math.isfinite(norm) and row["mse"] < HOPELESS_MSE):
            self.stopped = f"loss {row['loss']:.3g}, gradient norm {norm:.3g}"
            return row
        row["lr"] = self.adam.param_groups[0]["lr"] = self.spec.optimiser.lr_at(progress)
        self.adam.step()
        self._project()
        row["silent"] = self._count(terms)
        return row

    @torch.no_grad()
    def _take_off_parallel(self) -> None:
        """Rows have unit norm: a gradient along them would only be undone by the projection."""
        W, gradient = self.weights.W_dec, self.weights.W_dec.grad
        if gradient is not None:
            gradient -= (gradient * W).sum(1, keepdim=True) * W

    def _clip(self) -> float:
        named = self.weights.named().values()
        return float(torch.nn.utils.clip_grad_norm_(list(named), self.spec.optimiser.clip, foreach=True))

    @torch.no_grad()
    def _project(self) -> None:
        W = self.weights.W_dec
        W /= W.norm(dim=1, keepdim=True)
        self.rule.project(self.weights)

    def _count(self, terms: Terms) -> int:
        """Update the counters; returns how many features did not fire on this batch."""
        fired = terms.codes.counts() > 0
        self.silent += len(terms.codes)
        self.silent[fired] = 0
        for name, value in terms.statistics.items():
            total, weight = self.statistics.get(name, (0.0, 0.0))
            self.statistics[name] = (STATISTIC_DECAY * total + value, STATISTIC_DECAY * weight + 1.0)
        return int((~fired).sum())

    def resample(self, rows: resampling.Rows, step: int, window: int) -> int:
        """Resample what has been silent for `window` rows; returns how many features that was."""
        random = generator(self.seed, self.spec.name, "resample", step)
        penalty = self.spec.config.penalty
        changed = resampling.resample(self.weights, self.rule, self.silent >= window, rows, penalty, random)
        for parameter in (self.weights.W_enc, self.weights.W_dec, self.weights.b_enc):
            state = self.adam.state[parameter]
            state["exp_avg"][changed] = 0.0
            state["exp_avg_sq"][changed] = 0.0
        self.silent[changed] = 0
        return len(changed)

    def finished(self, metadata: dict[str, Any]) -> Dictionary:
        """The dictionary as it stands, in the units of the model's activations."""
        means = {name: total / weight for name, (total, weight) in self.statistics.items()}
        weights = self.weights.detached()
        weights.extra.update(self.rule.inference_extra(means, weights.n_features))
        weights = folded(weights, self.rule, self.factor_in.to(self.device), self.factor_out.to(self.device))
        spec = self.spec
        widths_in, widths_out = (
            [len(self.scaling.means[site]) for site in sites] for sites in (spec.reads, spec.writes)
        )
        keep = torch.ones(weights.n_features, dtype=torch.bool, device=self.device)
        details = {"optimiser": spec.to_json()["optimiser"], **metadata}
        return Dictionary(
            spec.architecture,
            self.rule,
            weights,
            spec.reads,
            spec.writes,
            tuple(widths_in),
            tuple(widths_out),
            keep,
            details,
        )

    def tensors(self) -> dict[str, Tensor]:
        """All that a checkpoint needs beside `state`."""
        named = self.weights.named()
        out = {name: tensor.detach() for name, tensor in named.items()} | {"silent": self.silent}
        for name, parameter in named.items():
            for key, value in self.adam.state[parameter].items():
                out[f"adam.{key}.{name}"] = value
        return out

    def state(self) -> dict[str, Any]:
        """The numbers of a checkpoint; float64 survives JSON exactly."""
        return {"spec": self.spec.to_json(), "statistics": self.statistics, "stopped": self.stopped}

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Stand where `tensors` and `state` were taken."""
        self.silent = tensors["silent"].to(self.device)
        self.statistics = {name: (pair[0], pair[1]) for name, pair in state["statistics"].items()}
        self.stopped = state["stopped"]
        for name, parameter in self.weights.named().items():
            parameter.copy_(tensors[name])
            stored = {key: tensors[f"adam.{key}.{name}"] for key in ("step", "exp_avg", "exp_avg_sq")}
            self.adam.state[parameter] = {key: value.to(self.device) for key, value in stored.items()}
