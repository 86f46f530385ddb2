"""The attention that a graph's edges pass: which heads, from where to where, and why these looked there."""

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.circuits.attribution.graph import Graph
from monosema.circuits.attribution.heads_of import Crossings, crossings, positions
from monosema.circuits.attribution.looking import Look, look
from monosema.circuits.attribution.places import Transcoder
from monosema.circuits.attribution.tracing import TraceConfig, prepared
from monosema.circuits.heads.scores import hold_scores
from monosema.circuits.heads.weights import require_head
from monosema.core.errors import DataError, MismatchError
from monosema.models import Edit, Model

DEFAULT = TraceConfig()

SAME = 1e-3
"""An edge may miss its weight in the graph by this share of all that reaches its target."""


@final
class Wiring:
    """A graph on its prompt, ready to be asked: one pass is made.

    config   of the trace, as are `edits`; its targets are taken from the graph
    Raises as `trace` does, and MismatchError when the graph has a node that is not there, as when it was traced with
    other settings or transcoders.
    """

    def __init__(
        self,
        model: Model,
        transcoders: Sequence[Transcoder],
        graph: Graph,
        config: TraceConfig = DEFAULT,
        edits: Sequence[Edit] = (),
    ) -> None:
        aimed = replace(config, targets=tuple(graph.nodes.index[graph.nodes.of("logit")].tolist()))
        self.model, self.graph, self.edits = model, graph, tuple(edits)
        self.scene = prepared(model, transcoders, graph.tokens, aimed, edits)
        before, now = graph.facts.get("merged_features", ""), str(self.scene.replaced.merged)
        if before not in ("", now):
            raise MismatchError(
                f"{before} features were merged into the errors of the graph, {now} are now: give the config that it "
                "was traced with"
            )
        self._names = _names(self)
        number = {name: i for i, name in enumerate(self._names)}
        if missing := [name for name in graph.nodes.ids() if name not in number]:
            raise MismatchError(
                f"node {missing[0]} of the graph is not there on its prompt: give the model, the transcoders and the "
                "config that it was traced with"
            )
        self._number = torch.tensor([number[name] for name in graph.nodes.ids()])

    def crossings(self, edges: Int64[Tensor, "edge"]) -> Crossings:
        """What of each of `edges`, numbers of the graph's, passes which heads.

        Raises DataError for an edge that the graph has not, MismatchError for one whose weight is another here.
        """
        own = self.graph.edges
        if len(edges) and not 0 <= int(edges.min()) <= int(edges.max()) < len(own):
            raise DataError(f"there is no such edge: the graph has {len(own)}, 0 to {len(own) - 1}")
        target, source = own.target[edges], own.source[edges]
        found = crossings(self.scene, self._here(target), self._here(source))
        miss = (found.weight.cpu() - own.weight[edges]).abs() > SAME * self.graph.nodes.mass[target].clamp(min=1)
        if bool(miss.any()):
            i = int(miss.nonzero()[0, 0])
            names = self.graph.nodes.ids()
            raise MismatchError(
                f"the edge from {names[int(source[i])]} to {names[int(target[i])]} weighs "
                f"{float(own.weight[edges[i]]):.3g} in the graph and {float(found.weight[i]):.3g} on its prompt: give "
                "the model, the transcoders and the config that it was traced with"
            )
        return found

    def into(self, node: str) -> Int64[Tensor, "edge"]:
        """The numbers of the graph's edges that lead to `node`. Raises DataError when the graph has no such node."""
        return (self.graph.edges.target == self.graph.node(node)).nonzero()[:, 0]

    def positions(self, edge: int, layer: int, head: int) -> Float[Tensor, "query key"]:
        """What of one edge passes a head, by where it looks from and at. Raises SiteError for a head that is not there,
        DataError for an edge that is not."""
        require_head(self.model, layer, head)
        if not 0 <= edge < len(self.graph.edges):
            raise DataError(f"there is no edge {edge}: the graph has {len(self.graph.edges)}")
        ends = self._number[torch.stack([self.graph.edges.target[edge], self.graph.edges.source[edge]])].tolist()
        return positions(self.scene, ends[0], ends[1], layer, head)

    def look(self, layer: int, head: int, query: int, key: int, n: int = 10) -> Look:
        """Why a head looked from `query` at `key`: its score there, by pairs of nodes. Raises
        SiteError for a head that is not there, DataError for a position that is not there or is never looked at."""
        held = hold_scores(self.model, self.graph.tokens, layer, head, self.edits)
        return look(self.scene, held, layer, head, (query, key), n)

    def names(self, numbers: Int64[Tensor, "node"]) -> list[str]:
        """The names, as `Nodes.ids` has them, of nodes that a `Look` counts: of the whole graph, pruned or not."""
        return [self._names[i] for i in numbers.tolist()]

    def _here(self, nodes: Int64[Tensor, "node"]) -> Int64[Tensor, "node"]:
        return self._number[nodes].to(self.scene.local.W_U.device)


def _names(wiring: Wiring) -> list[str]:
    """The name of every node of the scene, in the order of its numbers."""
    n, active, tokens = wiring.scene.numbers, wiring.scene.replaced.active, wiring.graph.tokens.tolist()
    rows = zip(*(x.tolist() for x in (active.layer, active.index, active.token)), strict=True)
    features = [f"{layer}_{index}_{token}" for layer, index, token in rows]
    errors = [f"{layer}_-1_{token}" for layer in range(n.n_layers) for token in range(n.n_tokens)]
    embedded = [f"E_{index}_{token}" for token, index in enumerate(tokens)]
    places = [f"P_-1_{token}" for token in range(n.n_positions)]
    logits = [f"L_{index}_{n.n_tokens - 1}" for index in wiring.scene.targets.tokens.tolist()]
    return [*features, *errors, *embedded, *places, "B_-1_-1", *logits]
