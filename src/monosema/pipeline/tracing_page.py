"""A graph as the values that its page shows, with the top contexts of features where the run has their tables."""

import torch
from torch import Tensor

from monosema.circuits import Graph
from monosema.circuits.attribution.graph import KINDS, LOGIT, TOKEN
from monosema.circuits.attribution.pruning import logit_weights
from monosema.circuits.attribution.sweep import influence_of
from monosema.core.errors import MismatchError
from monosema.core.sites import parse
from monosema.dashboard.graph.values import Context, EdgeValues, GraphValues, NodeValues
from monosema.features.browse import FeatureTable, open_table
from monosema.features.browse.rows import Example
from monosema.pipeline.tracing import Ground, named
from monosema.pipeline.tracing_paths import strongest

N_CONTEXTS, AROUND = 3, 8
SHOWN_ABOVE = ("run", "prompt", "model")
"""Facts that the page says elsewhere, or not: where the run is concerns nobody who is sent the page."""


def page_values(ground: Ground, graph: Graph, n_paths: int = 10) -> GraphValues:
    """What `write_graph_page` draws. Raises MismatchError when a feature table is of other weights."""
    nodes, edges = graph.nodes, graph.edges
    names, said = nodes.ids(), named(ground, graph)
    always = (nodes.kind == TOKEN) | (nodes.kind == LOGIT)
    shares = _together(nodes.influence.double().where(~always, 0.0))
    table = zip(
        names,
        *(column.tolist() for column in (nodes.kind, nodes.layer, nodes.token, nodes.index, nodes.value)),
        nodes.influence.tolist(),
        shares.where(~always, 0.0).tolist(),
        said,
        strict=True,
    )
    contexts = _contexts(ground, graph)
    rows = tuple(
        NodeValues(
            name=name,
            kind=KINDS[kind],
            layer=layer,
            token=token,
            says=_says(KINDS[kind], token, index, words),
            value=value if KINDS[kind] in ("feature", "logit") else None,
            influence=influence,
            share=share,
            contexts=contexts.get(name, ()),
        )
        for name, kind, layer, token, index, value, influence, share, words in table
    )
    _, passed = influence_of(edges, nodes.layer, logit_weights(graph))
    carried = _together(passed).tolist()
    ends = zip(edges.source.tolist(), edges.target.tolist(), edges.weight.tolist(), carried, strict=True)
    ways = strongest(graph, n_paths)
    return GraphValues(
        model=ground.model.name,
        prompt=graph.facts["prompt"],
        texts=tuple(ground.tokenizer.token_texts(graph.tokens.tolist())),
        n_layers=graph.n_layers,
        nodes=rows,
        edges=tuple(EdgeValues(*row) for row in ends),
        findings=graph.findings,
        paths=tuple((way.strength, " > ".join(said[i] or names[i] for i in way.nodes)) for way in ways),
        facts=tuple((name.replace("_", " "), fact) for name, fact in graph.facts.items() if name not in SHOWN_ABOVE),
    )


def _together(scores: Tensor) -> Tensor:
    """Of the sum of all, what each and all that are larger have together."""
    order = scores.argsort(descending=True, stable=True)
    found = torch.empty_like(scores)
    found[order] = scores[order].cumsum(0) / scores.sum().clamp(min=torch.finfo(scores.dtype).tiny)
    return found


def _says(kind: str, token: int, index: int, words: str) -> str:
    """The node in a few words; its layer and token are said beside."""
    if kind == "feature":
        return f"feature {index}"
    if kind == "logit":
        return f"logit {words.partition(' (p=')[0]}"
    return {"token": f"token {token} {words}", "position": "position embedding", "bias": "all biases"}.get(kind, kind)


def _contexts(ground: Ground, graph: Graph) -> dict[str, tuple[Context, ...]]:
    """By name of node, the strongest contexts of its feature; nothing of transcoders without a table."""
    found: dict[str, tuple[Context, ...]] = {}
    nodes = graph.nodes
    features = nodes.of("feature").tolist()
    names = nodes.ids()
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
        if not mine:
            continue
        examples = _top(table, sorted({int(nodes.index[i]) for i in mine}))
        found |= {names[i]: examples[int(nodes.index[i])] for i in mine}
    return found


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
