"""The strongest paths through a graph, from the prompt's tokens (or where nothing explains further) to a logit.

    share of an edge = |A[t, s]| / sum over s of |A[t, s]|        strength of a path = w(logit) times its edges' shares

Strengths of all paths to a logit's sources add up to its probability, so each is a part of that.
"""

from dataclasses import dataclass
from heapq import nlargest

from monosema.circuits import Graph
from monosema.circuits.attribution.graph import BIAS, ERROR, LOGIT, POSITION, TOKEN

ENDS = (TOKEN, POSITION, ERROR, BIAS)


@dataclass(frozen=True)
class Way:
    """A path: numbers of nodes from its source to the logit, and its strength, a probability."""

    nodes: tuple[int, ...]
    strength: float


def strongest(graph: Graph, n: int, kinds: tuple[int, ...] = (TOKEN,)) -> list[Way]:
    """The `n` strongest paths that begin at nodes of `kinds` (see `ENDS`), the strongest first."""
    nodes, edges = graph.nodes, graph.edges
    kind = nodes.kind.tolist()
    into: dict[int, list[tuple[int, float]]] = {}
    shares = edges.weight.abs().double() / nodes.mass.double()[edges.target]
    for target, source, share in zip(edges.target.tolist(), edges.source.tolist(), shares.tolist(), strict=True):
        into.setdefault(target, []).append((source, share))
    best: dict[int, list[Way]] = {i: [Way((i,), float(nodes.value[i]))] for i in range(len(nodes)) if kind[i] == LOGIT}
    for target in nodes.layer.argsort(descending=True, stable=True).tolist():
        ways = nlargest(n, best.get(target, []), key=lambda way: way.strength)
        best[target] = ways
        for source, share in into.get(target, []):
            best.setdefault(source, []).extend(Way((source, *way.nodes), way.strength * share) for way in ways)
    ended = [way for i, ways in best.items() if kind[i] in kinds for way in ways]
    return nlargest(n, ended, key=lambda way: way.strength)
