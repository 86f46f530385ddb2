"""Circuits: which features of a prompt caused which, exactly in the linear model around it, and checked by intervening.

    trace, TraceConfig      the attribution graph of a prompt
    Graph, Nodes, Edges     what it gives: nodes as a table, sparse edges, scores beside their controls; `Graph.prune`
    WithSkip, Transcoder    a transcoder with a skip; what a graph takes in place of MLPs
    token_of                the one token that a text is, to name a target by

Names are resolved when they are first used, so that importing the package costs no torch.
"""

from typing import TYPE_CHECKING

from monosema.core.lazy import lazily

if TYPE_CHECKING:
    from monosema.circuits.attribution.graph import Graph, Nodes
    from monosema.circuits.attribution.places import Transcoder, WithSkip
    from monosema.circuits.attribution.sweep import Edges
    from monosema.circuits.attribution.targets import token_of
    from monosema.circuits.attribution.tracing import TraceConfig, trace

__all__ = ["Edges", "Graph", "Nodes", "TraceConfig", "Transcoder", "WithSkip", "token_of", "trace"]

_HOMES = {
    "Edges": "attribution.sweep",
    "Graph": "attribution.graph",
    "Nodes": "attribution.graph",
    "TraceConfig": "attribution.tracing",
    "Transcoder": "attribution.places",
    "WithSkip": "attribution.places",
    "token_of": "attribution.targets",
    "trace": "attribution.tracing",
}

__getattr__ = lazily(__name__, _HOMES)
