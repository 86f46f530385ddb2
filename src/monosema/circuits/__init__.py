"""Circuits: which features of a prompt caused which, exactly in the linear model around it, and checked by intervening.

    trace, TraceConfig            the attribution graph of a prompt
    Graph, Nodes, Edges, Scores   what it gives: nodes as a table, sparse edges, scores; `Graph.prune`
    WithSkip, Transcoder          a transcoder with a skip; what a graph takes in place of MLPs
    token_of                      the one token that a text is, to name a target by
    save_graph, load_graph        a folder
    Wiring, Crossings, Look       which heads an edge goes through, and why these looked where they did
    write_neuronpedia, read_neuronpedia, About    Neuronpedia's and circuit-tracer's JSON
    Bench, Change, Effect, intervene              features set, scaled, clamped, ablated, and what that does
    total_effects, check, Check   what a graph predicts of it, and whether that is what happens
    PlanningConfig, run_planning  small models of which it is known where they plan
    head_weights, HeadWeights     the matrices of heads, family by family; LowRank, token_circuits: their circuits
    composition, pattern_scores, direct_logits    what heads read of one another, look at, add to a logit
    induction_by_hand, train_induction            an induction circuit that is known, and one that was learnt
    Pairs, Patch, places          two prompts, and what of them is patched
    activation_patching, attribution_patching, path_patching    what that does, is estimated to do, and by which way
    along                         the same by paths of several edges
    Part, parts_of, coordinates   sites as dictionaries see them, and as their own coordinates
    feature_effects, exact_effects, node_edges    what features and errors do to an answer, and through one another
    find_circuit, FeatureCircuit, MeanAblation    those that make it, and what is left of it with all else at its mean
    explore_heads, explore_patching, explore_circuit    all of it as a page

Names are resolved when they are first used, so that importing the package costs no torch.
"""

from typing import TYPE_CHECKING

from monosema.core.lazy import lazily

if TYPE_CHECKING:
    from monosema.circuits.attribution.files import load_graph, save_graph
    from monosema.circuits.attribution.graph import Graph, Nodes, Scores
    from monosema.circuits.attribution.heads_of import Crossings
    from monosema.circuits.attribution.looking import Look
    from monosema.circuits.attribution.neuronpedia import About, read_neuronpedia, write_neuronpedia
    from monosema.circuits.attribution.places import Transcoder, WithSkip
    from monosema.circuits.attribution.sweep import Edges
    from monosema.circuits.attribution.targets import token_of
    from monosema.circuits.attribution.tracing import TraceConfig, trace
    from monosema.circuits.attribution.wiring import Wiring
    from monosema.circuits.features.circuits import FeatureCircuit, find_circuit
    from monosema.circuits.features.controls import random_nodes, unlearned
    from monosema.circuits.features.edges import node_edges
    from monosema.circuits.features.effects import feature_effects
    from monosema.circuits.features.exact import exact_effects
    from monosema.circuits.features.exploring import explore_circuit
    from monosema.circuits.features.keeping import Kept, MeanAblation
    from monosema.circuits.features.nodes import FeatureEffects, FeatureNode, NodeSet
    from monosema.circuits.features.parts import Part, coordinates, parts_of
    from monosema.circuits.features.settings import CircuitConfig
    from monosema.circuits.features.states import means_of
    from monosema.circuits.heads.by_hand import induction_by_hand
    from monosema.circuits.heads.composition import Composition, composition, composition_score
    from monosema.circuits.heads.direct import DirectLogits, direct_logits
    from monosema.circuits.heads.exploring import explore_heads
    from monosema.circuits.heads.learning import InductionConfig, train_induction
    from monosema.circuits.heads.lowrank import LowRank
    from monosema.circuits.heads.patterns import PatternScores, pattern_scores, repeated_tokens
    from monosema.circuits.heads.settings import HeadsConfig
    from monosema.circuits.heads.tokens import token_circuits
    from monosema.circuits.heads.weights import HeadWeights, head_weights
    from monosema.circuits.interventions.changes import Change
    from monosema.circuits.interventions.checking import Check, check
    from monosema.circuits.interventions.effects import Bench, Effect, intervene
    from monosema.circuits.interventions.predicting import total_effects
    from monosema.circuits.patch.activation import activation_patching
    from monosema.circuits.patch.along import along
    from monosema.circuits.patch.attribution import attribution_patching
    from monosema.circuits.patch.controls import random_groups, unrelated_prompts
    from monosema.circuits.patch.effects import Agreement, Effects, agreement
    from monosema.circuits.patch.exploring import explore_patching
    from monosema.circuits.patch.features import feature_places
    from monosema.circuits.patch.pairs import Pairs, agreement_pairs, induction_pairs, pair_of, read_pairs
    from monosema.circuits.patch.paths import Receiver, path_patching, receivers
    from monosema.circuits.patch.places import Patch, places
    from monosema.circuits.patch.settings import PatchConfig
    from monosema.circuits.planning.experiments import run_planning
    from monosema.circuits.planning.settings import PlanningConfig

__all__ = [
    "About",
    "Agreement",
    "Bench",
    "Change",
    "Check",
    "CircuitConfig",
    "Composition",
    "Crossings",
    "DirectLogits",
    "Edges",
    "Effect",
    "Effects",
    "FeatureCircuit",
    "FeatureEffects",
    "FeatureNode",
    "Graph",
    "HeadWeights",
    "HeadsConfig",
    "InductionConfig",
    "Kept",
    "Look",
    "LowRank",
    "MeanAblation",
    "NodeSet",
    "Nodes",
    "Pairs",
    "Part",
    "Patch",
    "PatchConfig",
    "PatternScores",
    "PlanningConfig",
    "Receiver",
    "Scores",
    "TraceConfig",
    "Transcoder",
    "Wiring",
    "WithSkip",
    "activation_patching",
    "agreement",
    "agreement_pairs",
    "along",
    "attribution_patching",
    "check",
    "composition",
    "composition_score",
    "coordinates",
    "direct_logits",
    "exact_effects",
    "explore_circuit",
    "explore_heads",
    "explore_patching",
    "feature_effects",
    "feature_places",
    "find_circuit",
    "head_weights",
    "induction_by_hand",
    "induction_pairs",
    "intervene",
    "load_graph",
    "means_of",
    "node_edges",
    "pair_of",
    "parts_of",
    "path_patching",
    "pattern_scores",
    "places",
    "random_groups",
    "random_nodes",
    "read_neuronpedia",
    "read_pairs",
    "receivers",
    "repeated_tokens",
    "run_planning",
    "save_graph",
    "token_circuits",
    "token_of",
    "total_effects",
    "trace",
    "train_induction",
    "unlearned",
    "unrelated_prompts",
    "write_neuronpedia",
]

_HOMES = {
    "About": "attribution.neuronpedia",
    "Agreement": "patch.effects",
    "Bench": "interventions.effects",
    "Change": "interventions.changes",
    "Check": "interventions.checking",
    "CircuitConfig": "features.settings",
    "Composition": "heads.composition",
    "Crossings": "attribution.heads_of",
    "DirectLogits": "heads.direct",
    "Edges": "attribution.sweep",
    "Effect": "interventions.effects",
    "Effects": "patch.effects",
    "FeatureCircuit": "features.circuits",
    "FeatureEffects": "features.nodes",
    "FeatureNode": "features.nodes",
    "Graph": "attribution.graph",
    "HeadWeights": "heads.weights",
    "HeadsConfig": "heads.settings",
    "InductionConfig": "heads.learning",
    "Kept": "features.keeping",
    "Look": "attribution.looking",
    "LowRank": "heads.lowrank",
    "MeanAblation": "features.keeping",
    "NodeSet": "features.nodes",
    "Nodes": "attribution.graph",
    "Pairs": "patch.pairs",
    "Part": "features.parts",
    "Patch": "patch.places",
    "PatchConfig": "patch.settings",
    "PatternScores": "heads.patterns",
    "PlanningConfig": "planning.settings",
    "Receiver": "patch.paths",
    "Scores": "attribution.graph",
    "TraceConfig": "attribution.tracing",
    "Transcoder": "attribution.places",
    "Wiring": "attribution.wiring",
    "WithSkip": "attribution.places",
    "activation_patching": "patch.activation",
    "agreement": "patch.effects",
    "agreement_pairs": "patch.pairs",
    "along": "patch.along",
    "attribution_patching": "patch.attribution",
    "check": "interventions.checking",
    "composition": "heads.composition",
    "composition_score": "heads.composition",
    "coordinates": "features.parts",
    "direct_logits": "heads.direct",
    "exact_effects": "features.exact",
    "explore_circuit": "features.exploring",
    "explore_heads": "heads.exploring",
    "explore_patching": "patch.exploring",
    "feature_effects": "features.effects",
    "feature_places": "patch.features",
    "find_circuit": "features.circuits",
    "head_weights": "heads.weights",
    "induction_by_hand": "heads.by_hand",
    "induction_pairs": "patch.pairs",
    "intervene": "interventions.effects",
    "load_graph": "attribution.files",
    "means_of": "features.states",
    "node_edges": "features.edges",
    "pair_of": "patch.pairs",
    "parts_of": "features.parts",
    "path_patching": "patch.paths",
    "pattern_scores": "heads.patterns",
    "places": "patch.places",
    "random_groups": "patch.controls",
    "random_nodes": "features.controls",
    "read_neuronpedia": "attribution.neuronpedia",
    "read_pairs": "patch.pairs",
    "receivers": "patch.paths",
    "repeated_tokens": "heads.patterns",
    "run_planning": "planning.experiments",
    "save_graph": "attribution.files",
    "token_circuits": "heads.tokens",
    "token_of": "attribution.targets",
    "total_effects": "interventions.predicting",
    "trace": "attribution.tracing",
    "train_induction": "heads.learning",
    "unlearned": "features.controls",
    "unrelated_prompts": "patch.controls",
    "write_neuronpedia": "attribution.neuronpedia",
}

__getattr__ = lazily(__name__, _HOMES)
