"""How much of a node's effect goes through another node, on a way that passes no other part.

    edge u -> v  =  (clean u - its baseline) <d v / d (what u's part writes), what a unit of u writes>  <slope at v, v>

The slopes are those of the metric on the clean prompt; between two parts everything is the model's own, and what other
parts write is held. Features that fire answer to what they read by their encoder's row, those that do not fire not at
all, and the error is what is left of the site: so at each part all targets together pass on what reaches the site. The
edges out of a node, to all later features, errors and straight to the metric, add up to its effect by gradients.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.circuits.features.effects import baselines, batches, gradients
from monosema.circuits.features.exact import moved, noting
from monosema.circuits.features.nodes import FeatureNode
from monosema.circuits.features.parts import Part
from monosema.circuits.features.settings import CircuitConfig
from monosema.circuits.features.states import Means, State, apart
from monosema.circuits.patch.metrics import measure
from monosema.circuits.patch.pairs import Pairs
from monosema.models import Edit, Model


def node_edges(
    model: Model,
    pairs: Pairs,
    parts: Sequence[Part],
    nodes: Sequence[FeatureNode],
    config: CircuitConfig,
    means: Means | None = None,
) -> Float[Tensor, "target source"]:
    """Edges between all of `nodes`, means over pairs; the last row is from each straight to the metric."""
    total = torch.zeros(len(nodes) + 1, len(nodes), dtype=torch.float64)
    for batch in batches(pairs, config.rows):
        bench = _Bench.of(model, batch, parts, config, means)
        for t, target in enumerate([*nodes, None]):
            pulled = bench.pulled(target)
            for s, source in enumerate(nodes):
                if source.part in pulled:
                    total[t, s] += float((bench.move(source) * pulled[source.part]).double().sum())
    return total / len(pairs)


@dataclass(frozen=True)
class _Bench:
    """Some pairs, with every part cut off from those before it: what it writes is a leaf, what it is given is kept.

    leaves, given    by part: what was added to what it writes, and the activation before that
    reads            by part: what its encoder is given
    """

    parts: tuple[Part, ...]
    clean: tuple[State, ...]
    base: tuple[State, ...]
    slopes: list[Tensor]
    leaves: tuple[Tensor, ...]
    given: tuple[Tensor, ...]
    reads: tuple[Tensor, ...]
    metric: Tensor

    @staticmethod
    def of(model: Model, pairs: Pairs, parts: Sequence[Part], config: CircuitConfig, means: Means | None) -> "_Bench":
        given: dict[str, Tensor] = {}
        leaves: dict[str, Tensor] = {}

        def cutting(site: str) -> Callable[[Tensor], Tensor]:
            def apply(x: Tensor) -> Tensor:
                given[site], leaves[site] = x, torch.zeros_like(x, requires_grad=True)
                return x.detach() + leaves[site]

            return apply

        written = {part.writes for part in parts}
        edits = [Edit(site, noting(site, given)) for site in {part.reads for part in parts} - written]
        edits += [Edit(site, cutting(site)) for site in sorted(written)]
        with torch.enable_grad():
            logits = model.run(pairs.clean, ["logits"], edits)["logits"][:, -1]
            metric = measure(config.metric, logits, pairs).sum()
        with torch.no_grad():
            clean = tuple(apart(part, given[part.reads], given[part.writes]) for part in parts)
            base = baselines(model, pairs, parts, clean, config, means)
        return _Bench(
            tuple(parts),
            clean,
            base,
            gradients(model, pairs, parts, config),
            tuple(leaves[part.writes] for part in parts),
            tuple(given[part.writes] for part in parts),
            tuple(given[part.reads] for part in parts),
            metric,
        )

    def pulled(self, target: FeatureNode | None) -> dict[int, Float[Tensor, "pair token d"]]:
        """By part, how the metric answers through `target` alone to what the part writes; None: straight."""
        leaves = list(self.leaves)
        if target is None:
            found = torch.autograd.grad(self.metric, leaves, retain_graph=True, allow_unused=True)
        else:
            wanted = [(x, v) for x, v in self._functional(target) if x.requires_grad]
            if not wanted:
                return {}
            outputs, vectors = [x for x, _ in wanted], [v.view_as(x) for x, v in wanted]
            found = torch.autograd.grad(outputs, leaves, vectors, retain_graph=True, allow_unused=True)
        return {i: slope.flatten(2) for i, slope in enumerate(found) if slope is not None}

    def _functional(self, target: FeatureNode) -> list[tuple[Tensor, Tensor]]:
        """The target as a linear reading of what its part is given: (activation, vectors [pair, token, d])."""
        part, state = self.parts[target.part], self.clean[target.part]
        slope = self.slopes[target.part]
        here = torch.zeros_like(slope[..., :1])
        here[:, slice(None) if target.position is None else target.position] = 1
        slope = slope * here
        readings, directions = part.readings(slope), part.directions(slope)
        codes, flat = state.codes, slope.flatten(0, 1)
        if target.feature is not None:
            codes = codes.where(codes.indices == target.feature)
        rows, indices = codes.rows(), codes.indices
        weights = torch.linalg.vecdot(flat[rows], directions[indices])
        read = torch.zeros_like(flat[:, :1]).expand(-1, readings.shape[1]).clone()
        read.index_add_(0, rows, weights[:, None] * readings[indices])
        if target.feature is not None:
            return [(self.reads[target.part], read)]
        return [(self.given[target.part], slope), (self.reads[target.part], -read)]

    def move(self, source: FeatureNode) -> Float[Tensor, "pair token d"]:
        """What the source's clean value writes beyond its baseline."""
        return -moved(self.parts[source.part], source, self.clean[source.part], self.base[source.part])
