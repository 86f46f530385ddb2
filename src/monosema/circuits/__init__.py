"""Circuits: which features of a prompt caused which, exactly in the linear model around it, and checked by intervening.

    trace, TraceConfig            the attribution graph of a prompt
    Graph, Nodes, Edges, Scores   what it gives: nodes as a table, sparse edges, scores; `Graph.prune`
    WithSkip, Transcoder          a transcoder with a skip; what a graph takes in place of MLPs
    token_of                      the one token that a text is, to name a target by
    save_graph, load_graph        a folder
    write_neuronpedia, read_neuronpedia, About    Neuronpedia's and circuit-tracer's JSON
    Bench, Change, Effect, intervene              features set, scaled, clamped, ablated, and what that does
    total_effects, check, Check   what a graph predicts of it, and whether that is what happens

Names are resolved when they are first used, so that importing the package costs no torch.
"""

from typing import TYPE_CHECKING

from monosema.core.lazy import lazily

if TYPE_CHECKING:
    from monosema.circuits.attribution.files import load_graph, save_graph
    from monosema.circuits.attribution.graph import Graph, Nodes, Scores
    from monosema.circuits.attribution.neuronpedia import About, read_neuronpedia, write_neuronpedia
    from monosema.circuits.attribution.places import Transcoder, WithSkip
    from monosema.circuits.attribution.sweep import Edges
    from monosema.circuits.attribution.targets import token_of
    from monosema.circuits.attribution.tracing import TraceConfig, trace
    from monosema.circuits.interventions.changes import Change
    from monosema.circuits.interventions.checking import Check, check
    from monosema.circuits.interventions.effects import Bench, Effect, intervene
    from monosema.circuits.interventions.predicting import total_effects

__all__ = [
    "About",
    "Bench",
    "Change",
    "Check",
    "Edges",
    "Effect",
    "Graph",
    "Nodes",
    "Scores",
    "TraceConfig",
    "Transcoder",
    "WithSkip",
    "check",
    "intervene",
    "load_graph",
    "read_neuronpedia",
    "save_graph",
    "token_of",
    "total_effects",
    "trace",
    "write_neuronpedia",
]

_HOMES = {
    "About": "attribution.neuronpedia",
    "Bench": "interventions.effects",
    "Change": "interventions.changes",
    "Check": "interventions.checking",
    "Edges": "attribution.sweep",
    "Effect": "interventions.effects",
    "Graph": "attribution.graph",
    "Nodes": "attribution.graph",
    "Scores": "attribution.graph",
    "TraceConfig": "attribution.tracing",
    "Transcoder": "attribution.places",
    "WithSkip": "attribution.places",
    "check": "interventions.checking",
    "intervene": "interventions.effects",
    "load_graph": "attribution.files",
    "read_neuronpedia": "attribution.neuronpedia",
    "save_graph": "attribution.files",
    "token_of": "attribution.targets",
    "total_effects": "interventions.predicting",
    "trace": "attribution.tracing",
    "write_neuronpedia": "attribution.neuronpedia",
}

__getattr__ = lazily(__name__, _HOMES)
