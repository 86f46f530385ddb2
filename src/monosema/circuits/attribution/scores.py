"""How much of the targets a graph explains.

    replacement    inf(tokens) / (inf(tokens) + inf(errors))
    completeness   sum over nodes of (1 - the errors' share of its inputs) (inf + w) / sum of (inf + w)

Ends, which have no inputs, count as complete, as in circuit-tracer.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.circuits.attribution.graph import ERROR, LOGIT, TOKEN, Nodes, Scores
from monosema.circuits.attribution.sweep import Edges


def scores_from(nodes: Nodes, error_share: Float[Tensor, "node"], dropped: float) -> Scores:
    """The scores, from the errors' share of each node's inputs and the influence along edges that are not kept."""
    tokens = float(nodes.influence[nodes.kind == TOKEN].sum())
    errors = float(nodes.influence[nodes.kind == ERROR].sum())
    own = nodes.influence + torch.where(nodes.kind == LOGIT, nodes.value, 0.0)
    total, passed = float(own.sum()), float(nodes.influence.sum())
    return Scores(
        replacement=tokens / (tokens + errors) if tokens + errors else 0.0,
        completeness=float(((1 - error_share) * own).sum()) / total if total else 0.0,
        dropped=dropped / passed if passed else 0.0,
    )


def scores_of(nodes: Nodes, edges: Edges) -> Scores:
    """The scores of a graph of which these edges are all that is known."""
    size = edges.weight.abs().double()
    none = torch.zeros(len(nodes), dtype=torch.float64)
    mass = none.index_add(0, edges.target, size)
    errors = none.index_add(0, edges.target, size * (nodes.kind[edges.source] == ERROR))
    return scores_from(nodes, errors / mass.where(mass > 0, 1), 0.0)
