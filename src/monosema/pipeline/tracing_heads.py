"""The heads that the strongest edges of a traced graph go through, and why the first of them looked where it did."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.circuits import Graph, TraceConfig, Wiring
from monosema.circuits.attribution.graph import BIAS
from monosema.circuits.attribution.pruning import logit_weights
from monosema.circuits.attribution.sweep import influence_of
from monosema.core.errors import DataError
from monosema.core.findings import Finding, bootstrap
from monosema.core.seeding import generator
from monosema.pipeline.tracing import Ground, TracingConfig

HEADS, PAIRS = 3, 3
"""Heads that are listed of an edge, and pairs of nodes of a look."""


@dataclass(frozen=True)
class Part:
    """What of an edge one head passes: `even` if it looked at all it can see alike; most of it from `query` to
    `key`."""

    head: str
    part: float
    even: float
    query: int
    key: int


@dataclass(frozen=True)
class Seen:
    """Why a head looked from `query` at `key`: its score, the mean of the other keys', and (query's node, key's node,
    what the two add, what they add at the other keys) of the strongest pairs."""

    head: str
    query: int
    key: int
    attention: float
    score: float
    others: float
    pairs: tuple[tuple[str, str, float, float], ...]


@dataclass(frozen=True)
class Passing:
    """An edge between two tokens, and its strongest heads in order."""

    source: str
    target: str
    weight: float
    heads: tuple[Part, ...]


@dataclass(frozen=True)
class Passings:
    """The strongest edges first; why the first head of each looked there, each look once; findings: how much of an edge
    its first head passes, and the score of the key that it looked at beside the other keys'."""

    edges: tuple[Passing, ...]
    looks: tuple[Seen, ...]
    findings: tuple[Finding, ...]


@torch.no_grad()
def passing(ground: Ground, graph: Graph, config: TracingConfig, n: int) -> Passings:
    """Of the `n` edges between two tokens that carry most of the influence of `graph`, which was traced by `config`.

    Raises DataError when it has none.
    """
    chosen = between_tokens(graph, n)
    settings = TraceConfig(max_features=config.max_features, from_token=config.from_token, control=False)
    wiring = Wiring(ground.model, ground.sides, graph, settings)
    found = wiring.crossings(chosen)
    names, said = graph.nodes.ids(), _says(ground)
    rows: list[Passing] = []
    for i, edge in enumerate(chosen.tolist()):
        parts = _parts(wiring, edge, found.through[i], found.even[i])
        source, target = (said(names[int(column[edge])]) for column in (graph.edges.source, graph.edges.target))
        rows.append(Passing(source, target, float(found.weight[i]), parts))
    places = dict.fromkeys((row.heads[0].head, row.heads[0].query, row.heads[0].key) for row in rows)
    looks = tuple(_look(wiring, *place, said) for place in places)
    return Passings(tuple(rows), looks, _findings(rows, looks, config.seed))


def between_tokens(graph: Graph, n: int) -> Int64[Tensor, "edge"]:
    """The numbers of the `n` edges that carry most influence, of those whose ends are at two tokens: these pass heads.

    Raises DataError when there are none.
    """
    nodes, edges = graph.nodes, graph.edges
    _, passed = influence_of(edges, nodes.layer, logit_weights(graph))
    apart = (nodes.token[edges.source] != nodes.token[edges.target]) & (nodes.kind[edges.source] != BIAS)
    order = passed.where(apart, -1).argsort(descending=True, stable=True)[: min(n, int(apart.sum()))]
    if not len(order):
        raise DataError("no edge of the graph leads from one token to another: prune it less, or give a longer prompt")
    return order


def _parts(wiring: Wiring, edge: int, through: Tensor, even: Float[Tensor, "layer head"]) -> tuple[Part, ...]:
    """The heads that pass most of an edge."""
    found = []
    for i in through.flatten().abs().argsort(descending=True, stable=True)[:HEADS].tolist():
        layer, head = divmod(i, through.shape[1])
        if float(through[layer, head]) == 0:
            continue
        where = wiring.positions(edge, layer, head).abs()
        query, key = divmod(int(where.argmax()), where.shape[1])
        found.append(Part(f"{layer}.{head}", float(through[layer, head]), float(even[layer, head]), query, key))
    return tuple(found)


def _look(wiring: Wiring, name: str, query: int, key: int, said: Callable[[str], str]) -> Seen:
    layer, head = map(int, name.split("."))
    found = wiring.look(layer, head, query, key, PAIRS)
    pairs = [wiring.names(pair) for pair in found.pairs]
    values = zip(pairs, found.parts.tolist(), found.elsewhere.tolist(), strict=True)
    rows = tuple((said(asks), said(answers), adds, other) for (asks, answers), adds, other in values)
    return Seen(name, query, key, found.attention, found.score, found.others, rows)


def _says(ground: Ground) -> Callable[[str], str]:
    """How a node's name is printed: a token's or a logit's with its text, the biases as such."""

    def said(name: str) -> str:
        kind, index, token = name.split("_")
        if kind in "EL":
            return f"{ground.tokenizer.token_texts([int(index)])[0]!r}{f' at {token}' if kind == 'E' else ' next'}"
        others = {"P": f"position {token}", "B": "biases"}
        return others.get(kind, f"error of layer {kind} at {token}" if index == "-1" else name)

    return said


def _findings(rows: Sequence[Passing], every: Sequence[Seen], seed: int) -> tuple[Finding, ...]:
    draws, n = generator(seed, "passing"), len(rows)

    def mean(values: Sequence[float]) -> tuple[float, float, float]:
        terms = torch.tensor([[value, 1.0] for value in values], dtype=torch.float64)
        return bootstrap(terms, lambda s: s[..., 0] / s[..., 1], draws)

    firsts = [row.heads[0] for row in rows]
    part = mean([first.part / row.weight for row, first in zip(rows, firsts, strict=True)])
    even = mean([first.even / row.weight for row, first in zip(rows, firsts, strict=True)])[0]
    looks = [look for look in every if not isnan(look.others)]
    nothing = (float("nan"), float("nan"), float("nan"))
    score, low, high = mean([look.score for look in looks]) if looks else nothing
    others = mean([look.others for look in looks])[0] if looks else float("nan")
    alike, keys = "the same heads looking at all they see alike", "the other keys that the query can see"
    return (
        Finding("first_head", part[0], even, alike, part[1], part[2], n, "edges"),
        Finding("key_score", score, others, keys, low, high, len(looks), "looks"),
    )
