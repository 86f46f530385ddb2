"""Why a head looked there: its score of one query and one key, taken apart into pairs of nodes.

    score[q, k] = sum over nodes s, t of  scale <what s adds to the query at q, what t adds to the key at k>

Patterns of lower layers and denominators of norms are held, as in the whole graph, so both sides are sums over
features, errors, tokens, positions and the biases, wherever in the prompt they stand, and the score is exactly the sum
over pairs. The softmax over keys is not linear and is not taken apart: what it sees is by how much a key's score is
above the other keys'. So beside every pair stands what the same two nodes give on average at the other keys that this
query can see; what is common to all keys, such as a query that meets the keys' bias, moves no attention.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.circuits.attribution.rows import Scene, effects_of, rows_at_once
from monosema.circuits.heads.scores import HeldScores, HeldSide
from monosema.core.errors import DataError

Weights = Float[Tensor, "token"]


@dataclass(frozen=True)
class Look:
    """One head's score of one key for one query, before the softmax and a soft cap.

    nodes       numbers in the scene of all that the layer can read; the rows of by_query and by_key
    score       and others: the mean score of the other keys that the query can see, NaN where there is none
    attention   what the softmax made of it
    by_query    what each node adds to the score by the query's side, all keys' nodes together; by_key the other way
    pairs       (query's node, key's node) that most set this key apart from the others, the first most
    parts       what each of these pairs adds to the score, and elsewhere: to the others' mean
    """

    query: int
    key: int
    score: float
    others: float
    attention: float
    nodes: Int64[Tensor, "node"]
    by_query: Float[Tensor, "node"]
    by_key: Float[Tensor, "node"]
    pairs: Int64[Tensor, "pair 2"]
    parts: Float[Tensor, "pair"]
    elsewhere: Float[Tensor, "pair"]


@torch.no_grad()
def look(scene: Scene, held: HeldScores, layer: int, head: int, where: tuple[int, int], n: int = 10) -> Look:
    """The score of `where`, (query, key), of the head that `held` is of; the `n` largest pairs.

    Raises DataError for a position that is not there, or one that the query cannot see.
    """
    query, key = where
    pattern = scene.local.layers[layer].attention.pattern[head]
    if not (0 <= query < len(pattern) and 0 <= key < len(pattern)):
        raise DataError(f"there is no query {query} or no key {key}: the prompt has 0 to {len(pattern) - 1}")
    if float(pattern[query, key]) == 0:
        raise DataError(f"head {layer}.{head} does not look from {query} at {key} at all: its attention there is 0")
    here, rest = torch.zeros(2, len(pattern), dtype=pattern.dtype, device=pattern.device)
    here[key] = 1
    rest[pattern[query] > 0] = 1
    rest[key] = 0
    alone = not bool(rest.any())
    asks = held.scale * _side(scene, held.query, layer, torch.zeros_like(here).index_fill_(0, torch.tensor(query), 1))
    answers = _side(scene, held.key, layer, here)
    others = torch.zeros_like(answers) if alone else _side(scene, held.key, layer, rest / rest.sum())
    pairs, parts, elsewhere = _strongest(asks, answers, others, n, scene.workspace)
    nodes = scene.sources(layer)
    return Look(
        query,
        key,
        score=float(asks.sum(0) @ answers.sum(0)),
        others=float("nan") if alone else float(asks.sum(0) @ others.sum(0)),
        attention=float(pattern[query, key]),
        nodes=nodes.cpu(),
        by_query=(asks @ answers.sum(0)).cpu(),
        by_key=(answers @ asks.sum(0)).cpu(),
        pairs=nodes[pairs].cpu(),
        parts=parts.cpu(),
        elsewhere=torch.full_like(parts, float("nan")).cpu() if alone else elsewhere.cpu(),
    )


def _side(scene: Scene, side: HeldSide, layer: int, weights: Weights) -> Float[Tensor, "node d_head"]:
    """What every node adds to the mean, by `weights` over tokens, of the head's query or key."""
    tokens = weights.nonzero()[:, 0].tolist()
    seq = tokens[-1] + 1 if scene.local.causal else scene.numbers.n_tokens
    found = []
    for start, stop in _spans(side.W.shape[1], rows_at_once(scene, seq)):
        g, constant = side.W.new_zeros(seq, stop - start, len(side.W)), side.W.new_zeros(stop - start)
        for token in tokens:
            M, c = side.at(token)
            g[token] = weights[token] * M[start:stop]
            constant += weights[token] * c[start:stop]
        found.append(effects_of(scene, layer, g, constant))
    return torch.cat(found, 1)


def _spans(n: int, size: int) -> Iterator[tuple[int, int]]:
    return ((start, min(n, start + size)) for start in range(0, n, size))


def _strongest(
    asks: Tensor, answers: Tensor, others: Tensor, n: int, workspace: int
) -> tuple[Int64[Tensor, "pair 2"], Float[Tensor, "pair"], Float[Tensor, "pair"]]:
    """(rows of the two sides, part of the score, part of the others' mean) of the `n` pairs in which the last two
    differ most, a block of rows at a time."""
    size = max(1, workspace // (2 * len(answers) * answers.element_size()))
    places, values = asks.new_empty(0, 2, dtype=torch.int64), asks.new_empty(0)
    for start in range(0, len(asks), size):
        apart = (asks[start : start + size] @ (answers - others).T).flatten()
        top = apart.abs().topk(min(n, len(apart))).indices
        rows = torch.stack([top // len(answers) + start, top % len(answers)], 1)
        places, values = torch.cat([places, rows]), torch.cat([values, apart[top]])
        best = values.abs().argsort(descending=True, stable=True)[:n]
        places, values = places[best], values[best]
    left, right = places.unbind(1)
    return places, (asks[left] * answers[right]).sum(1), (asks[left] * others[right]).sum(1)
