"""The model with all but some nodes at their means, and how much of the model's answer is left.

    y  ->  y + sum over features outside of (mean - f_i) d_i  (+ mean error - error, where the error is outside)

f_i is what the changed model makes there, from the first site to the last. With nothing outside nothing is added, bit
for bit; with everything outside the site is at its mean.

    F(C) = (m(C) - m(nothing)) / (m(model) - m(nothing))        means over pairs; m(C) keeps the nodes of C
    faithfulness of C = F(C);  completeness of C = F(all but C), which is small where C has all that matters

(Marks et al. 2024, 3.2.) F(everything) is 1 and F(nothing) is 0, exactly.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.circuits.features.effects import batches
from monosema.circuits.features.exact import noting
from monosema.circuits.features.nodes import NodeSet, all_nodes, no_nodes
from monosema.circuits.features.parts import Part
from monosema.circuits.features.settings import CircuitConfig
from monosema.circuits.features.states import Means, apart
from monosema.circuits.patch.metrics import measure
from monosema.circuits.patch.pairs import Pairs
from monosema.core.errors import DataError
from monosema.core.findings import bootstrap
from monosema.core.seeding import generator
from monosema.models import Edit, Model

SAME = 1e-9
"""Metrics that differ by less than this share of their size are the same."""


@torch.no_grad()
def keeping(
    model: Model,
    pairs: Pairs,
    parts: Sequence[Part],
    kept: NodeSet,
    means: Means,
    config: CircuitConfig,
) -> Float[Tensor, "pair"]:
    """The metric on the clean prompts with every node outside `kept` at its mean."""
    seen: dict[str, Tensor] = {}
    edits = []
    for i, part in enumerate(parts):
        if part.reads != part.writes:
            edits.append(Edit(part.reads, noting(part.reads, seen)))
        edits.append(Edit(part.writes, _keeping(part, kept.masks[i], (means.codes[i], means.errors[i]), seen)))
    found = [
        measure(config.metric, model.run(batch.clean, ["logits"], edits)["logits"][:, -1], batch).cpu()
        for batch in batches(pairs, config.rows)
    ]
    return torch.cat(found)


def _keeping(
    part: Part, mask: Tensor, means: tuple[Tensor, Tensor], seen: dict[str, Tensor]
) -> Callable[[Tensor], Tensor]:
    outside = ~mask
    if not bool(outside.any()):
        return lambda x: x

    def apply(x: Tensor) -> Tensor:
        y = x.flatten(2)
        state = apart(part, y if part.reads == part.writes else seen[part.reads], y)
        codes, n_tokens = state.codes, y.shape[1]
        place = codes.rows() % n_tokens if len(outside) > 1 else torch.zeros_like(codes.rows())
        gone = codes.where(outside.to(y.device)[place, codes.indices])
        floor = (means[0] * outside[:, :-1]).to(y) @ part.directions(y)
        changed = y + floor.expand(n_tokens, -1) - part.written(gone, y).view_as(y)
        missing = (means[1].to(y) - state.error) * outside[:, -1].to(y)[:, None]
        return (changed + missing).view_as(x)

    return apply


@dataclass(frozen=True)
class Kept:
    """The metric pair by pair: with a circuit kept, of the model itself, and with nothing kept."""

    values: Float[Tensor, "pair"]
    model: Float[Tensor, "pair"]
    nothing: Float[Tensor, "pair"]

    @property
    def share(self) -> float:
        """F. Raises DataError where the model does no better than its means do."""
        above = float((self.model - self.nothing).mean())
        size = max(float(self.model.abs().mean()), float(self.nothing.abs().mean()), 1e-30)
        if abs(above) <= SAME * size:
            raise DataError(
                "the metric is the same with every node at its mean: the sites of the dictionaries carry none of the "
                "answer. Give dictionaries of sites that do"
            )
        return float((self.values - self.nothing).mean()) / above

    def ahead_of(self, other: "Kept", seed: int = 0) -> tuple[float, float, float]:
        """How much larger F is than that of another circuit on the same pairs, with the 95% interval over pairs."""
        terms = torch.stack([self.values - other.values, self.model - self.nothing], 1)
        return bootstrap(terms, lambda s: s[..., 0] / s[..., 1], generator(seed, "difference"))

    def interval(self, seed: int = 0) -> tuple[float, float]:
        """The 95% interval of F over pairs."""
        terms = torch.stack([self.values - self.nothing, self.model - self.nothing], 1)
        return bootstrap(terms, lambda s: s[..., 0] / s[..., 1], generator(seed, "faithfulness"))[1:]


@dataclass(frozen=True)
class MeanAblation:
    """What circuits are measured on: pairs, parts and means; and the metric with everything and with nothing kept."""

    model: Model
    pairs: Pairs
    parts: tuple[Part, ...]
    means: Means
    config: CircuitConfig
    everything: Float[Tensor, "pair"]
    nothing: Float[Tensor, "pair"]

    @staticmethod
    def of(model: Model, pairs: Pairs, parts: Sequence[Part], means: Means, config: CircuitConfig) -> "MeanAblation":
        """Two passes over `pairs`."""
        n_places = pairs.n_tokens if config.positions else 1
        ends = [keeping(model, pairs, parts, nodes(parts, n_places), means, config) for nodes in (all_nodes, no_nodes)]
        return MeanAblation(model, pairs, tuple(parts), means, config, ends[0], ends[1])

    def kept(self, nodes: NodeSet) -> Kept:
        """What is left of the metric when only `nodes` are kept."""
        values = keeping(self.model, self.pairs, self.parts, nodes, self.means, self.config)
        return Kept(values, self.everything, self.nothing)

    def faithfulness(self, nodes: NodeSet) -> Kept:
        """F(C)."""
        return self.kept(nodes)

    def completeness(self, nodes: NodeSet) -> Kept:
        """F(all but C): the smaller, the more complete."""
        return self.kept(nodes.complement())
