"""A graph as the values that its page shows: one that was traced, with the top contexts of features where the run has
their tables, or one that was read from a file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from monosema.circuits import About, Graph
from monosema.circuits.attribution.graph import FEATURE, KINDS, LOGIT, TOKEN
from monosema.circuits.attribution.neuronpedia import neuronpedia_document
from monosema.circuits.attribution.pruning import logit_weights
from monosema.circuits.attribution.sweep import influence_of
from monosema.core.errors import MismatchError
from monosema.core.findings import Finding
from monosema.core.sites import parse
from monosema.dashboard.graph.values import Context, EdgeValues, Graphed, GraphValues, NodeValues
from monosema.features.browse import FeatureTable, open_table
from monosema.features.browse.rows import Example
from monosema.pipeline.tracing import Ground, about_of, open_to_all
from monosema.pipeline.tracing_paths import strongest

N_CONTEXTS, AROUND, N_PATHS = 3, 8, 10
MOST_NODES, MOST_EDGES = 3_000, 20_000
"""As many as a page draws."""

SHOWN_ABOVE = ("run", "prompt", "model")
"""Facts that the page says elsewhere, or not: where the run is concerns nobody who is sent the page."""

SCORES = ("replacement", "completeness")
NO_CONTROL = "a file has no transcoders to shuffle"


@dataclass(frozen=True)
class _Features:
    """By name of node, what feature tables say: the top contexts, and the table."""

    contexts: Mapping[str, tuple[Context, ...]] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)


def graphed(ground: Ground, graph: Graph) -> Graphed:
    """A graph that was traced. Raises MismatchError when a feature table is of other weights."""
    small, note = _shortened(graph)
    about = about_of(ground, small)
    return Graphed(_values(small, about, _features(ground, small), note), _document(open_to_all(small), about))


def graphed_file(graph: Graph, about: About) -> Graphed:
    """A graph that was read, with what its file says of it: no contexts. Scores without a finding get one."""
    if not any(finding.name in SCORES for finding in graph.findings):
        n, scores = len(graph.nodes), [(name, vars(graph.scores)[name]) for name in SCORES]
        own = tuple(Finding(name, x, None, NO_CONTROL, x, x, n, "nodes") for name, x in scores)
        graph = replace(graph, findings=(*own, *graph.findings))
    small, note = _shortened(graph)
    there = set(small.nodes.ids())
    groups = tuple((title, *(name for name in names if name in there)) for title, *names in about.groups)
    about = replace(
        about,
        pinned=tuple(name for name in about.pinned if name in there),
        groups=tuple(group for group in groups if len(group) > 1),
    )
    return Graphed(_values(small, about, _Features(), note), _document(open_to_all(small), about))


def _document(graph: Graph, about: About) -> str:
    return json.dumps(neuronpedia_document(graph, about), ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def _shortened(graph: Graph) -> tuple[Graph, str]:
    """The graph with as many nodes and edges as a page draws, those that carry most, and what to say of it."""
    n = len(graph.nodes), len(graph.edges)
    if n[0] > MOST_NODES:
        graph = graph.prune(_share(graph.nodes.influence.double(), MOST_NODES), 1.0)
    _, passed = influence_of(graph.edges, graph.nodes.layer, logit_weights(graph))
    if len(graph.edges) > MOST_EDGES:
        graph = graph.prune(1.0, _share(passed, MOST_EDGES))
    if n == (len(graph.nodes), len(graph.edges)):
        return graph, ""
    return graph, (
        f"Drawn are {len(graph.nodes):,} of {n[0]:,} nodes and {len(graph.edges):,} of {n[1]:,} edges, those that "
        "carry most of the influence."
    )


def _share(scores: Tensor, n: int) -> float:
    """What the `n` largest have of the sum."""
    return float(scores.sort(descending=True).values[:n].sum() / scores.sum())


def _values(graph: Graph, about: About, features: _Features, note: str) -> GraphValues:
    nodes, edges = graph.nodes, graph.edges
    names = nodes.ids()
    always = (nodes.kind == TOKEN) | (nodes.kind == LOGIT)
    shares = _together(nodes.influence.double().where(~always, 0.0))
    table = zip(
        names,
        *(column.tolist() for column in (nodes.kind, nodes.layer, nodes.token, nodes.index, nodes.value)),
        nodes.influence.tolist(),
        shares.where(~always, 0.0).tolist(),
        strict=True,
    )
    rows = tuple(
        NodeValues(
            name=name,
            kind=KINDS[kind],
            layer=layer,
            token=token,
            says=_says(KINDS[kind], token, index, about.labels.get(name, ""), about.texts),
            value=value if kind in (FEATURE, LOGIT) else None,
            influence=influence,
            share=share,
            contexts=features.contexts.get(name, ()),
            table=features.tables.get(name, ""),
        )
        for name, kind, layer, token, index, value, influence, share in table
    )
    _, passed = influence_of(edges, nodes.layer, logit_weights(graph))
    carried = _together(passed).tolist()
    ends = zip(edges.source.tolist(), edges.target.tolist(), edges.weight.tolist(), carried, strict=True)
    said = [_in_a_path(row, about.texts) for row in rows]
    ways = strongest(graph, N_PATHS)
    return GraphValues(
        model=about.scan,
        prompt=about.prompt,
        texts=about.texts,
        n_layers=graph.n_layers,
        nodes=rows,
        edges=tuple(EdgeValues(*row) for row in ends),
        findings=graph.findings,
        paths=tuple((way.strength, " > ".join(said[i] for i in way.nodes)) for way in ways),
        facts=tuple((name.replace("_", " "), fact) for name, fact in graph.facts.items() if name not in SHOWN_ABOVE),
        pins=about.pinned,
        groups=about.groups,
        note=note,
    )


def _together(scores: Tensor) -> Tensor:
    """Of the sum of all, what each and all that are larger have together."""
    order = scores.argsort(descending=True, stable=True)
    found = torch.empty_like(scores)
    found[order] = scores[order].cumsum(0) / scores.sum().clamp(min=torch.finfo(scores.dtype).tiny)
    return found


def _says(kind: str, token: int, index: int, label: str, texts: Sequence[str]) -> str:
    """The node in a few words; its layer and token are said beside."""
    if kind == "feature":
        return f"feature {index}: {label}" if label else f"feature {index}"
    if kind == "logit":
        words = label.partition(" (p=")[0].removeprefix("Output ")
        return f"logit {words or index}"
    if kind == "token":
        return f"token {token} {texts[token]!r}"
    return {"position": "position embedding", "bias": "all biases"}.get(kind, kind)


def _in_a_path(row: NodeValues, texts: Sequence[str]) -> str:
    if row.kind == "logit":
        return f"{row.says.removeprefix('logit ')} (p={row.value:.3f})"
    return repr(texts[row.token]) if row.kind == "token" else row.name


def _features(ground: Ground, graph: Graph) -> _Features:
    """What tables say of the graph's features; nothing of transcoders without a table."""
    contexts: dict[str, tuple[Context, ...]] = {}
    tables: dict[str, str] = {}
    nodes = graph.nodes
    features, names = nodes.of("feature").tolist(), nodes.ids()
    for name, dictionary in ground.transcoders.items():
        folder = ground.run / "features" / name
        if not (folder / "table.json").exists():
            continue
        table = open_table(folder)
        if table.manifest.dictionary_fingerprint != dictionary.fingerprint:
            raise MismatchError(
                f"the feature table of '{name}' is of other weights than the dictionary: build it again with "
                f"`monosema features {ground.run}`"
            )
        layers = {parse(site).layer for site in dictionary.reads}
        mine = [i for i in features if int(nodes.layer[i]) in layers]
        tables |= {names[i]: name for i in mine}
        if mine and table.ready:
            examples = _top(table, sorted({int(nodes.index[i]) for i in mine}))
            contexts |= {names[i]: examples[int(nodes.index[i])] for i in mine}
    return _Features(contexts, tables)


def _top(table: FeatureTable, features: list[int]) -> dict[int, tuple[Context, ...]]:
    """Of each feature, the windows where it fires most, around the token where it does."""
    groups = table.examples_of(features)
    return {
        feature: tuple(
            _context(one) for group in groups[feature] if group.name == "top" for one in group.examples[:N_CONTEXTS]
        )
        for feature in features
    }


def _context(example: Example) -> Context:
    at, texts = example.at, example.texts
    before, after = "".join(texts[max(0, at - AROUND) : at]), "".join(texts[at + 1 : at + 1 + AROUND])
    return Context(before, texts[at], after, example.act)
