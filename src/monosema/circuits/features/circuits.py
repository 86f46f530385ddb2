"""A circuit: the nodes that matter for an answer, and the edges between them."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from monosema.circuits.features.edges import node_edges
from monosema.circuits.features.effects import feature_effects
from monosema.circuits.features.nodes import FeatureEffects, FeatureNode, NodeSet, set_of
from monosema.circuits.features.parts import Part
from monosema.circuits.features.settings import CircuitConfig
from monosema.circuits.features.states import Means
from monosema.circuits.patch.pairs import Pairs
from monosema.models import Model


@dataclass(frozen=True)
class FeatureCircuit:
    """nodes      those with the largest effects first
    effects    of all nodes, by integrated gradients; `effects.of(node)` is one's
    edges      from each node (column) to each (row), the last row straight to the metric
    """

    nodes: tuple[FeatureNode, ...]
    effects: FeatureEffects
    edges: Float[Tensor, "target source"]

    @property
    def chosen(self) -> NodeSet:
        """The nodes as a set, to be kept or taken away."""
        return set_of(self.effects.parts, self.effects.n_places, self.nodes)

    def strongest(self, n: int) -> tuple[tuple[FeatureNode, FeatureNode | None, float], ...]:
        """The `n` edges that are largest in size: source, target (None: the metric), weight."""
        flat = self.edges.flatten()
        order = flat.abs().argsort(descending=True, stable=True)[:n].tolist()
        ends: list[FeatureNode | None] = [*self.nodes, None]
        width = len(self.nodes)
        return tuple((self.nodes[i % width], ends[i // width], float(flat[i])) for i in order if float(flat[i]) != 0)


def find_circuit(
    model: Model,
    pairs: Pairs,
    parts: Sequence[Part],
    config: CircuitConfig,
    threshold: float | None = None,
    means: Means | None = None,
) -> FeatureCircuit:
    """The nodes whose effect is larger in size than `threshold`, or the `config.top` with the largest. Raises as
    `feature_effects` does."""
    effects = feature_effects(model, pairs, parts, config, means)
    chosen = effects.top(config.top) if threshold is None else effects.over(threshold)
    nodes = effects.listed(chosen)
    return FeatureCircuit(nodes, effects, node_edges(model, pairs, parts, nodes, config, means))
