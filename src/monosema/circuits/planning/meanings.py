"""What features of a graph stand for, by facts that are known of every text, and where they fire most.

    a fact    one kind and one value of each text, such as its topic; token by token also the word that stands there
    F1        2 hits / (texts where it fires at that token + texts where the fact has one of the values)

Of each kind those values count in at least half of whose texts the feature fires. It is named by the kind that it
detects best, where its F1 is `CLEAR` at least and the values are few.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.circuits.attribution.graph import Graph
from monosema.circuits.planning.carriers import firing
from monosema.circuits.planning.transcoders import Transcoded

CLEAR, FEW, HALF = 0.8, 3, 0.5
EXAMPLES = 3


@dataclass(frozen=True)
class Known:
    """Texts, whose tokens are `words`; and facts by kind: what the values are called, and which each text has."""

    tokens: Int64[Tensor, "n seq"]
    words: tuple[str, ...]
    facts: Mapping[str, tuple[tuple[str, ...], Int64[Tensor, "n"]]]


@dataclass(frozen=True)
class Meaning:
    """`fact`, '' where none is detected clearly; examples: (text before, word, activation), the strongest first."""

    fact: str
    f1: float
    examples: tuple[tuple[str, str, float], ...]


@dataclass(frozen=True)
class Drawn:
    """A graph to be drawn: a name for its file, the graph, its model, and the meanings of its features by node."""

    name: str
    graph: Graph
    made: Transcoded
    known: Known
    meanings: Mapping[str, Meaning]


@torch.no_grad()
def drawn(name: str, graph: Graph, made: Transcoded, known: Known) -> Drawn:
    """`graph` with what its features mean."""
    nodes, found = graph.nodes, {}
    features, names = nodes.of("feature").tolist(), nodes.ids()
    for place in sorted({int(nodes.token[i]) for i in features}):
        codes = firing(made, known.tokens, place)
        n = codes.shape[1] // graph.n_layers
        for i in features:
            if int(nodes.token[i]) == place:
                a = codes[:, int(nodes.layer[i]) * n + int(nodes.index[i])]
                found[names[i]] = _meaning(a, known, place)
    return Drawn(name, graph, made, known, found)


def _meaning(a: Float[Tensor, "n"], known: Known, place: int) -> Meaning:
    fires, here = a > 0, known.tokens[:, place]
    said = {name: detects(fires, values, names) for name, (names, values) in known.facts.items()}
    said["word"] = detects(fires, here, known.words)
    name = max(said, key=lambda one: said[one][0])
    f1, values = said[name]
    top = a.topk(min(EXAMPLES, int(fires.sum())))
    rows = zip(known.tokens[top.indices].tolist(), top.values.tolist(), strict=True)
    examples = tuple((" ".join(known.words[t] for t in row[:place]), known.words[row[place]], x) for row, x in rows)
    return Meaning(f"{name} {' or '.join(values)}" if f1 >= CLEAR else "", f1, examples)


def detects(fires: Bool[Tensor, "n"], has: Int64[Tensor, "n"], names: tuple[str, ...]) -> tuple[float, tuple[str, ...]]:
    """(F1 of `fires` as a detector of texts that have one of some values, those values); (0, ()) where they are none,
    more than `FEW` or more than half of all."""
    values = has.unique()
    belongs = has[:, None] == values
    chosen = (fires[:, None] & belongs).sum(0) >= HALF * belongs.sum(0)
    if not 0 < int(chosen.sum()) <= min(FEW, len(values) // 2):
        return 0.0, ()
    holds = belongs[:, chosen].any(1)
    f1 = 2 * int((fires & holds).sum()) / int(fires.sum() + holds.sum())
    return f1, tuple(names[value] for value in values[chosen].tolist())
