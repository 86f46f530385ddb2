"""Graphs of couplets: how much of the first line's influence on the end word passes the newline, path by path.

    A        direct effects in the graph up to t3, whose one target is the end word; Ahat = |A| / sum of its rows
    A_past   the same where the newline's column is taken out of all patterns: what does not go by its stream
    Ahat_past = Ahat |A_past| / (|A_past| + |A - A_past|)        inf, inf_past: influence along paths of each
    share through the newline = 1 - inf_past / inf               summed over the tokens of the first line

Of the paths that pass the newline's stream only some pass a feature there: attention may also carry to it, and on, what
no MLP has changed. Those that do are counted apart. The planner's share is 1 by its mask however much the transcoders
leave as errors: no token's path passes an error, which is where paths begin.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.circuits.attribution.graph import FEATURE, LOGIT, TOKEN, Graph
from monosema.circuits.attribution.rows import Scene
from monosema.circuits.attribution.sweep import Edges, sweep
from monosema.circuits.attribution.tracing import TraceConfig, prepared, trace
from monosema.circuits.planning.transcoders import Transcoded

EXACT = TraceConfig(edge_floor=0.0, fingerprints=False)


@dataclass(frozen=True)
class Passed:
    """One graph, and the shares of the first line's influence on its target that pass the place asked and, beside it,
    another place: by a feature there, and by the stream there at all."""

    graph: Graph
    by_features: tuple[float, float]
    through: tuple[float, float]


@torch.no_grad()
def passed(made: Transcoded, tokens: Int64[Tensor, "seq"], target: int, place: int, beside: int) -> Passed:
    """The graph of `target` after `tokens`, and what of the influence of the tokens before `place` passes it."""
    config, reader = replace(EXACT, targets=(target,)), made.reader
    edits = reader.edits()
    graph = trace(reader.model, made.transcoders, tokens, config, edits=edits)
    scene = prepared(reader.model, made.transcoders, tokens, config, edits)
    nodes, A = graph.nodes, dense(graph.edges, len(graph.nodes))
    early = (nodes.kind == TOKEN) & (nodes.token < place)
    weights = torch.where(nodes.kind == LOGIT, nodes.value, 0.0)
    shares = A.abs() / A.abs().sum(1, keepdim=True).clamp(min=torch.finfo(A.dtype).tiny)
    whole = reached(shares, weights)[early].sum()

    def share(past: Tensor) -> float:
        return float(1 - reached(past, weights)[early].sum() / whole)

    there = [(nodes.kind == FEATURE) & (nodes.token == at) for at in (place, beside)]
    return Passed(
        graph,
        (share(shares.masked_fill(there[0], 0.0)), share(shares.masked_fill(there[1], 0.0))),
        (share(shares * _past(scene, A, place)), share(shares * _past(scene, A, beside))),
    )


def influence_at(graph: Graph, place: int, n_features: int) -> Float[Tensor, "feature"]:
    """The influence of every feature of every layer at one token, layers laid end to end; 0 where it is silent."""
    nodes, found = graph.nodes, torch.zeros(graph.n_layers * n_features)
    here = (nodes.kind == FEATURE) & (nodes.token == place)
    found[nodes.layer[here] * n_features + nodes.index[here]] = nodes.influence[here].float()
    return found


def dense(edges: Edges, n: int) -> Float[Tensor, "target source"]:
    """The direct effects as a matrix."""
    A = torch.zeros(n, n, dtype=torch.float64)
    A[edges.target, edges.source] = edges.weight.double()
    return A


def reached(shares: Float[Tensor, "target source"], weights: Float[Tensor, "node"]) -> Float[Tensor, "node"]:
    """The influence of every node along all paths: w (S + S^2 + ...), which ends, since paths do."""
    found, term = torch.zeros_like(weights), weights
    while bool(term.any()):
        term = term @ shares
        found += term
    return found


def _past(scene: Scene, A: Tensor, place: int) -> Float[Tensor, "target source"]:
    """Of each direct effect, the share that does not go by the stream of `place`."""
    past = dense(sweep(cut(scene, place), 0.0, constants=True).edges, len(A))
    through = (A - past).abs()
    return past.abs() / (past.abs() + through).clamp(min=torch.finfo(A.dtype).tiny)


def cut(scene: Scene, place: int) -> Scene:
    """The scene where later tokens do not look at `place`, and all else is as it was."""
    layers = []
    for held in scene.local.layers:
        pattern = held.attention.pattern.clone()
        pattern[:, place + 1 :, place] = 0
        layers.append(replace(held, attention=replace(held.attention, pattern=pattern)))
    return replace(scene, local=replace(scene.local, layers=tuple(layers)))
