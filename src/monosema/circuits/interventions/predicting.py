"""What a graph says that taking a node away would do, along all paths.

    c(s) = sum over t of A[t, s] c(t) / a(t),   c(logit) / a(logit) = 1         taking s away changes the logit by -c(s)

Exact in the linear model with every feature that fires firing on, in proportion to its pre-activation; the model
itself has thresholds, norms and patterns that react, so it is a prediction, to be checked.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.circuits.attribution.graph import FEATURE, LOGIT, Graph
from monosema.core.errors import DataError


def total_effects(graph: Graph, logit: int) -> Float[Tensor, "node"]:
    """c of every node on the centred logit of node number `logit`: what doubling it would add, all paths together.

    Raises DataError when that node is no logit.
    """
    nodes, edges = graph.nodes, graph.edges
    if int(nodes.kind[logit]) != LOGIT:
        raise DataError(
            f"node {nodes.ids()[logit]} is no logit: give the number of one of {nodes.of('logit').tolist()}"
        )
    passes = torch.where(nodes.kind == FEATURE, nodes.value.double(), torch.inf)
    passes[logit] = 1.0
    effect = torch.zeros(len(nodes), dtype=torch.float64)
    effect[logit] = 1.0
    for layer in range(graph.n_layers, -1, -1):
        here = nodes.layer[edges.target] == layer
        target, source = edges.target[here], edges.source[here]
        effect.index_add_(0, source, edges.weight[here].double() * effect[target] / passes[target])
    effect[logit] = 0.0
    return effect
