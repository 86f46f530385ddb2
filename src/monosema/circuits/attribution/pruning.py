"""The part of a graph that carries most of the influence, as circuit-tracer and Ameisen et al. (2025) choose it.

nodes   in order of influence until they have a share of the sum; tokens and logits always
edges   between them: shares add up to one again, influence is found again, then edges in order of
        Ahat'[t, s] (inf' + w)(t) until they have a share of the sum
then    features without an edge in or out, and errors and constants without one out, until none is left
"""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.circuits.attribution.graph import FEATURE, LOGIT, TOKEN, Graph
from monosema.circuits.attribution.sweep import Edges, influence_of
from monosema.core.config import require_range
from monosema.core.findings import Finding
from monosema.core.seeding import generator

DRAWS = 20
"""Random sets of nodes beside which what was kept is put."""


def pruned(graph: Graph, node_share: float, edge_share: float) -> Graph:
    """See `Graph.prune`. Raises ConfigError for a share that is not in [0, 1]."""
    require_range("nodes", node_share, 0, 1)
    require_range("edges", edge_share, 0, 1)
    nodes = graph.nodes
    always = (nodes.kind == TOKEN) | (nodes.kind == LOGIT)
    kept = (nodes.influence >= threshold(nodes.influence, node_share)) | always
    edges = graph.edges.where(kept[graph.edges.target] & kept[graph.edges.source])
    _, passed = influence_of(edges, nodes.layer, logit_weights(graph))
    edges = edges.where(passed >= threshold(passed, edge_share))
    kept, edges = settled(kept, edges, nodes.kind)
    number = torch.where(kept, kept.cumsum(0) - 1, -1)
    renumbered = Edges(number[edges.target], number[edges.source], edges.weight)
    share = _kept_influence(graph, kept)
    findings = (*(one for one in graph.findings if one.name != share.name), share)
    return Graph(nodes.where(kept), renumbered, graph.tokens, graph.n_layers, graph.scores, findings, graph.facts)


def logit_weights(graph: Graph) -> Float[Tensor, "node"]:
    """The probability of every logit, 0 of the other nodes."""
    return torch.where(graph.nodes.kind == LOGIT, graph.nodes.value.double(), 0.0)


def threshold(scores: Float[Tensor, "one"], share: float) -> float:
    """The score down to which the largest add up to `share` of the sum; 0, which is all of them, for the whole."""
    if len(scores) == 0 or share == 1:
        return 0.0
    ordered = scores.sort(descending=True).values
    cumulative = ordered.cumsum(0) / ordered.sum()
    at = int(torch.searchsorted(cumulative, torch.tensor(share, dtype=cumulative.dtype)))
    return float(ordered[min(at, len(ordered) - 1)])


def settled(
    kept: Bool[Tensor, "node"], edges: Edges, kind: Int64[Tensor, "node"]
) -> tuple[Bool[Tensor, "node"], Edges]:
    """Without nodes that lead nowhere, and features that come from nowhere, until there are none."""
    always = (kind == TOKEN) | (kind == LOGIT)
    while True:
        leads, comes = torch.zeros_like(kept), torch.zeros_like(kept)
        leads[edges.source], comes[edges.target] = True, True
        still = kept & (always | (leads & (comes | (kind != FEATURE))))
        if torch.equal(still, kept):
            return kept, edges
        kept = still
        edges = edges.where(kept[edges.target] & kept[edges.source])


def _kept_influence(graph: Graph, kept: Bool[Tensor, "node"]) -> Finding:
    """The share of all influence that the kept nodes have, beside as many nodes drawn from all that could be."""
    influence, draws = graph.nodes.influence, generator(0, "pruning")
    could = (graph.nodes.kind != LOGIT).nonzero()[:, 0]
    n, total = int(kept[could].sum()), float(influence.sum())
    picks = [could[torch.randperm(len(could), generator=draws)[:n]] for _ in range(DRAWS)]
    control = sum(float(influence[pick].sum()) for pick in picks) / DRAWS
    value, floor = (x / total if total else 0.0 for x in (float(influence[kept].sum()), control))
    return Finding(
        "influence_kept", value, floor, f"as many nodes drawn at random, {DRAWS} times", value, value, n, "nodes"
    )
