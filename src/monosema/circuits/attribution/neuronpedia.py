"""A graph as JSON of Neuronpedia and circuit-tracer, schema 1.0.0: written, and read from either.

    metadata   slug, scan (the model), prompt, prompt_tokens      qParams   pinned nodes, groups ("supernodes")
    nodes      node_id, feature, layer, ctx_idx, feature_type, jsNodeId, clerp, influence, activation
    links      source, target, weight

`influence` is, as there, the share of all influence that a node and those above it have together. Of what is read,
influence is found again from the links. circuit-tracer before 0.5 gives feature 5 of layer 0 and the error of layer 5
the same name at a token; they are told apart here, and the links that named both go where layers allow. Position
embeddings and biases are nodes of ours that the schema allows and its page draws as any other.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from monosema.circuits.attribution.files import require_sound
from monosema.circuits.attribution.graph import BIAS, ERROR, FEATURE, LOGIT, POSITION, TOKEN, Graph, Nodes
from monosema.circuits.attribution.scores import scores_of
from monosema.circuits.attribution.sweep import Edges, influence_of
from monosema.core.errors import DamagedError, MismatchError
from monosema.core.runs import read_json, write_text

TYPES = {
    FEATURE: "cross layer transcoder",
    ERROR: "mlp reconstruction error",
    TOKEN: "embedding",
    POSITION: "position embedding",
    BIAS: "bias",
    LOGIT: "logit",
}
"""Neuronpedia's `feature_type` for each kind of node; the fourth and fifth are ours."""


MOST_LAYERS = 1000
"""Beyond so many a file is taken for damaged."""


@dataclass(frozen=True)
class About:
    """What such a file says besides the graph.

    scan     the model, as Neuronpedia calls it
    texts    the prompt's tokens as text
    labels   by name of node, what it is called
    pinned   names of nodes that the reader pinned; groups: title, then the names of a group's nodes
    """

    slug: str
    scan: str
    prompt: str
    texts: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    pinned: tuple[str, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()


def write_neuronpedia(graph: Graph, path: Path | str, about: About) -> None:
    """Write `graph` to `path`. Prune it first: every node and edge is written. Raises MismatchError when there is not
    one text for each token of the prompt."""
    document = neuronpedia_document(graph, about)
    write_text(Path(path), json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")


def neuronpedia_document(graph: Graph, about: About) -> dict[str, Any]:
    """What `write_neuronpedia` writes, its nodes in the graph's order. Raises as it does."""
    if len(about.texts) != len(graph.tokens):
        raise MismatchError(f"{len(about.texts)} texts for a prompt of {len(graph.tokens)} tokens: give one for each")
    metadata = {"slug": about.slug, "scan": about.scan, "prompt_tokens": list(about.texts), "prompt": about.prompt}
    metadata |= {
        "schema_version": 1,
        "transcoder_list": [],
        "info": {"generator": {"name": "monosema"}},
        "generation_settings": dict(graph.facts),
    }
    names = graph.nodes.ids()
    called = dict(zip(names, _file_names(graph, names), strict=True))
    groups = [[title, *(called[name] for name in members)] for title, *members in about.groups]
    pinned = [called[name] for name in about.pinned]
    question = {
        "pinnedIds": pinned,
        "supernodes": groups,
        "linkType": "both",
        "clickedId": "",
        "sg_pos": "",
    }
    ends = zip(graph.edges.source.tolist(), graph.edges.target.tolist(), graph.edges.weight.tolist(), strict=True)
    return {
        "metadata": metadata,
        "qParams": question,
        "nodes": _rows(graph, called, about.labels),
        "links": [{"source": called[names[s]], "target": called[names[t]], "weight": weight} for s, t, weight in ends],
    }


def _file_names(graph: Graph, names: Sequence[str]) -> list[str]:
    """As circuit-tracer names them: a logit by the layer after the last but one."""
    logits = (graph.nodes.kind == LOGIT).tolist()
    return [
        f"{graph.n_layers + 1}{name[1:]}" if is_logit else name for name, is_logit in zip(names, logits, strict=True)
    ]


def _rows(graph: Graph, called: Mapping[str, str], labels: Mapping[str, str]) -> list[dict[str, Any]]:
    nodes, rows, names = graph.nodes, [], list(called)
    order = nodes.influence.argsort(descending=True, stable=True)
    cumulative = torch.empty_like(nodes.influence)
    cumulative[order] = nodes.influence[order].cumsum(0) / nodes.influence.sum().clamp(min=1e-300)
    columns = (nodes.kind, nodes.layer, nodes.token, nodes.index, nodes.value, cumulative)
    first = nodes.value.where(nodes.kind == LOGIT, -1).argmax()
    table = zip(*(column.tolist() for column in columns), strict=True)
    for i, (kind, layer, token, index, value, influence) in enumerate(table):
        before, is_logit = kind in (TOKEN, POSITION, BIAS), kind == LOGIT
        feature = _paired(layer, index) if kind == FEATURE else token if kind == TOKEN else index
        rows.append(
            {
                "node_id": called[names[i]],
                "feature": feature,
                "layer": "E" if before else str(layer + 1 if is_logit else layer),
                "ctx_idx": max(token, 0),
                "feature_type": TYPES[kind],
                "token_prob": value if is_logit else 0.0,
                "is_target_logit": is_logit and i == int(first),
                "run_idx": 0,
                "reverse_ctx_idx": 0,
                "jsNodeId": f"{layer}_{index}-0" if kind == FEATURE else called[names[i]],
                "clerp": labels.get(names[i], f"logit {index} (p={value:.3f})" if is_logit else ""),
                "influence": None if is_logit else influence,
                "activation": value if kind == FEATURE else None,
            }
        )
    return rows


def read_neuronpedia(path: Path | str) -> tuple[Graph, About]:
    """The graph in a file of Neuronpedia's or circuit-tracer's, and what else it says.

    Raises RunError when it is missing, DamagedError when it is not JSON or its links lead nowhere, MismatchError when
    it is not such a graph.
    """
    return graph_of_document(read_json(Path(path)), str(path))


def graph_of_document(document: Any, what: str) -> tuple[Graph, About]:
    """The graph that the JSON value `document` is, and what else it says; `what` is its name in messages. Raises as
    `read_neuronpedia` does."""
    metadata, rows, links = _parts(document, what)
    texts = tuple(str(text) for text in metadata["prompt_tokens"])
    table, names = _named(rows, len(texts), what)
    n_layers = max(row.layer - 1 if row.kind == LOGIT else row.layer + 1 for row in table) if table else 0
    table = [row.at(n_layers) if row.kind == LOGIT else row for row in table]
    edges, unsure = _edges(links, names, table, what)
    columns = {
        name: torch.tensor([getattr(row, name) for row in table]) for name in ("kind", "layer", "token", "index")
    }
    value = torch.tensor([row.value for row in table], dtype=torch.float64)
    weights = torch.where(columns["kind"] == LOGIT, value, 0.0)
    influence, _ = influence_of(edges, columns["layer"], weights)
    sums, sizes = (
        torch.zeros(len(table), dtype=torch.float64).index_add_(0, edges.target, x)
        for x in (edges.weight, edges.weight.abs())
    )
    nodes = Nodes(**columns, value=value, influence=influence, total=sums, mass=sizes)
    facts = {"model": str(metadata["scan"]), "read_from": Path(what).name, "links_told_apart": str(unsure)}
    scores = scores_of(nodes, edges)
    graph = Graph(nodes, edges, _prompt(nodes, len(texts)), n_layers, scores, (), facts)
    require_sound(graph, what)
    return graph, _about(document, graph, rows, texts, what)


@dataclass(frozen=True)
class _Row:
    kind: int
    layer: int
    token: int
    index: int
    value: float

    def at(self, layer: int) -> "_Row":
        return _Row(self.kind, layer, self.token, self.index, self.value)


def _parts(document: Any, what: str) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    wanted = {"metadata": dict, "nodes": list, "links": list}
    if not isinstance(document, dict) or any(not isinstance(document.get(k), kind) for k, kind in wanted.items()):
        raise MismatchError(f"{what} is not a graph of Neuronpedia's: it needs metadata, nodes and links")
    metadata = document["metadata"]
    if missing := [name for name in ("slug", "scan", "prompt_tokens", "prompt") if name not in metadata]:
        raise MismatchError(f"{what} is not a graph of schema 1.0.0: its metadata has no {missing[0]}")
    if metadata.get("schema_version", 1) not in (1, None):
        raise MismatchError(f"{what} has schema version {metadata['schema_version']}: this version reads 1")
    if not isinstance(metadata["prompt_tokens"], list):
        raise MismatchError(f"{what} is not a graph of schema 1.0.0: its prompt_tokens are no list")
    for name in ("nodes", "links"):
        if not all(isinstance(row, dict) for row in document[name]):
            raise MismatchError(f"{what} is not a graph of schema 1.0.0: its {name} are no objects")
    return metadata, document["nodes"], document["links"]


def _named(rows: Sequence[Mapping[str, Any]], n_tokens: int, what: str) -> tuple[list[_Row], dict[str, list[int]]]:
    """The nodes, and the numbers of those that each name means: one, unless the file gave it to several."""
    kinds = {name: kind for kind, name in TYPES.items()}
    table, names = [], defaultdict(list)
    for row in rows:
        try:
            one = _row(row, kinds[row["feature_type"]])
        except (KeyError, ValueError, IndexError, TypeError, OverflowError) as error:
            raise MismatchError(f"{what}: node {row.get('node_id')!r} is none of schema 1.0.0 ({error})") from error
        lowest = -1 if one.kind in (TOKEN, POSITION, BIAS) else 0
        in_place = (one.kind == BIAS or 0 <= one.token < n_tokens) and lowest <= one.layer <= MOST_LAYERS
        if not in_place or one.index >= 2**62:
            raise MismatchError(
                f"{what}: node {row['node_id']!r} is at layer {row['layer']}, token {row['ctx_idx']} of a prompt of "
                f"{n_tokens} tokens: there is no such place"
            )
        names[str(row["node_id"])].append(len(table))
        table.append(one)
    return table, names


def _row(row: Mapping[str, Any], kind: int) -> _Row:
    parts = str(row["node_id"]).split("_")
    layer = -1 if kind in (TOKEN, POSITION, BIAS) else int(row["layer"])
    index = int(parts[1]) if kind in (FEATURE, TOKEN, LOGIT) else -1
    token = -1 if kind == BIAS else int(row["ctx_idx"])
    value = {FEATURE: row.get("activation"), LOGIT: row.get("token_prob")}.get(kind)
    return _Row(kind, layer, token, index, 0.0 if value is None else float(value))


def _edges(
    links: Sequence[Mapping[str, Any]], names: Mapping[str, list[int]], table: Sequence[_Row], what: str
) -> tuple[Edges, int]:
    """The links by number, and how many had an end whose name several nodes had."""
    found, unsure, taken = [], 0, set()
    for link in links:
        ends = str(link.get("source")), str(link.get("target"))
        if ends[0] not in names or ends[1] not in names:
            raise DamagedError(f"{what}: a link from {link.get('source')!r} to {link.get('target')!r} leads nowhere")
        sources, targets = names[ends[0]], names[ends[1]]
        unsure += len(sources) > 1 or len(targets) > 1
        target = next((t for t in targets if table[t].kind in (FEATURE, LOGIT)), targets[0])
        could = [s for s in sources if table[s].layer < table[target].layer and (s, target) not in taken]
        source = could[0] if could else sources[0]
        taken.add((source, target))
        weight = link.get("weight")
        if not isinstance(weight, int | float):
            raise DamagedError(f"{what}: the link from {ends[0]!r} to {ends[1]!r} has no weight, but {weight!r}")
        found.append((target, source, float(weight)))
    ends_of = torch.tensor([row[:2] for row in found], dtype=torch.int64).reshape(-1, 2)
    return Edges(ends_of[:, 0], ends_of[:, 1], torch.tensor([row[2] for row in found], dtype=torch.float64)), unsure


def _prompt(nodes: Nodes, n_tokens: int) -> Tensor:
    """The prompt's tokens as its embeddings name them; -1 where there is none."""
    tokens = torch.full((n_tokens,), -1)
    mine = nodes.kind == TOKEN
    tokens[nodes.token[mine]] = nodes.index[mine]
    return tokens


def _about(
    document: Mapping[str, Any], graph: Graph, rows: Sequence[Mapping[str, Any]], texts: tuple[str, ...], what: str
) -> About:
    metadata, question = document["metadata"], document.get("qParams") or {}
    ours: dict[str, str] = {}
    for name, row in zip(graph.nodes.ids(), rows, strict=True):
        ours.setdefault(str(row["node_id"]), name)
    labels = {name: str(row["clerp"]) for name, row in zip(graph.nodes.ids(), rows, strict=True) if row.get("clerp")}
    if not isinstance(question, dict):
        raise MismatchError(f"{what} is not a graph of schema 1.0.0: its qParams are no object")
    pinned, supernodes = question.get("pinnedIds") or [], question.get("supernodes") or []
    if not isinstance(pinned, list) or not isinstance(supernodes, list):
        raise MismatchError(f"{what} is not a graph of schema 1.0.0: its pinnedIds or supernodes are no list")
    if not all(isinstance(group, list) and group for group in supernodes):
        raise MismatchError(f"{what} is not a graph of schema 1.0.0: a supernode is no list of a title and nodes")
    groups = tuple(
        (str(title), *(ours[str(name)] for name in members if str(name) in ours)) for title, *members in supernodes
    )
    chosen = tuple(ours[str(name)] for name in pinned if str(name) in ours)
    return About(str(metadata["slug"]), str(metadata["scan"]), str(metadata["prompt"]), texts, labels, chosen, groups)


def _paired(layer: int, index: int) -> int:
    """Cantor's pairing, by which Neuronpedia numbers the features of all layers."""
    return (layer + index) * (layer + index + 1) // 2 + index
