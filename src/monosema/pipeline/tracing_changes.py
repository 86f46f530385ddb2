"""Features of a prompt changed, and what that does to the graph's logits: predicted, and measured.

    predicted   by the graph, along all paths: (new - a) / a of what doubling the feature would add
    linear      in the linear model: direct effects alone    patterns   the model, its attention patterns held
    free        the model itself

Beside them random features: at the same layers and tokens vectors of the same size, each what another feature of that
transcoder writes, added with the same sign.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.circuits import Bench, Change, Effect, Graph, total_effects
from monosema.circuits.attribution.places import blocks
from monosema.circuits.interventions.changes import added, clean_values, written
from monosema.circuits.interventions.effects import HOW
from monosema.core.errors import ConfigError, DataError
from monosema.core.findings import Finding
from monosema.core.seeding import generator
from monosema.pipeline.tracing import Ground

RANDOM = "features drawn at random, writing vectors of the same size at the same layers and tokens"


@dataclass(frozen=True)
class Changed:
    """Changes of the centred logits `tokens`, by logit. `predicted`: NaN when a changed feature is not in the graph.

    random   the same, in the model itself, of every draw of random features
    before   the activation of each changed feature; after: what it became
    effects  all that was measured, by model: linear, patterns, free
    """

    tokens: tuple[int, ...]
    predicted: Float[Tensor, "logit"]
    linear: Float[Tensor, "logit"]
    patterns: Float[Tensor, "logit"]
    free: Float[Tensor, "logit"]
    random: Float[Tensor, "draw logit"]
    before: tuple[float, ...]
    after: tuple[float, ...]
    effects: Mapping[str, Effect]
    findings: tuple[Finding, ...]


def change_of(name: str, how: str, amount: float) -> Change:
    """The change of the node called `name`, such as 3_1204_7. Raises ConfigError for a node that is no feature."""
    parts = name.split("_")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        raise ConfigError(f"'{name}' is no feature: give LAYER_FEATURE_TOKEN, such as 3_1204_7 (a trace lists them)")
    layer, index, token = map(int, parts)
    return Change(layer, index, token, how, amount)  # pyright: ignore[reportArgumentType]


@torch.no_grad()
def changed(
    ground: Ground,
    graph: Graph,
    changes: Sequence[Change],
    n_draws: int = 16,
    seed: int = 0,
    bench: Bench | None = None,
) -> Changed:
    """What `changes` together do; `bench` is that of the graph's prompt, if there is one already. Raises DataError for
    a feature or token that is not there and for changes that change nothing."""
    bench = bench or Bench(ground.model, ground.sides, graph.tokens)
    active = bench.scene.replaced.active
    deltas = added(bench.scene.local, active, bench.places, changes)
    before = tuple(clean_values(active, changes))
    after = tuple(one.value(clean) for one, clean in zip(changes, before, strict=True))
    if before == after:
        raise DataError(f"nothing changes: the activation is {before[0]:g} already. Give a feature that fires there")
    logits = graph.nodes.of("logit")
    tokens = graph.nodes.index[logits]
    predicted = _predicted(graph, logits, changes, after)
    effects = {how: bench.add(deltas, how) for how in HOW}
    measured = {how: effect.logits[tokens].double() for how, effect in effects.items()}
    draws, columns = generator(seed, "random features"), []
    for _ in range(n_draws):
        columns.append(bench.add(_random(bench, changes, before, after, draws), "free").logits[tokens].double())
    random = torch.stack(columns)
    findings = _findings(predicted, measured, random)
    moved = {"random": random, "before": before, "after": after, "effects": effects, "findings": findings}
    return Changed(tuple(tokens.tolist()), predicted, **measured, **moved)


def _predicted(graph: Graph, logits: Tensor, changes: Sequence[Change], after: Sequence[float]) -> Tensor:
    names = {name: i for i, name in enumerate(graph.nodes.ids())}
    nodes = [names.get(f"{one.layer}_{one.index}_{one.token}") for one in changes]
    effects = [total_effects(graph, logit) for logit in logits.tolist()]
    found = torch.zeros(len(logits), dtype=torch.float64)
    for node, new in zip(nodes, after, strict=True):
        if node is None:
            return torch.full_like(found, torch.nan)
        old = float(graph.nodes.value[node])
        found += torch.stack([effect[node] for effect in effects]) * (new - old) / old
    return found


def _random(
    bench: Bench,
    changes: Sequence[Change],
    before: Sequence[float],
    after: Sequence[float],
    draws: torch.Generator,
) -> Mapping[int, Tensor]:
    """The vectors that as many other features add, each of the size of the one it stands for."""
    local, found = bench.scene.local, {}
    for one, old, new in zip(changes, before, after, strict=True):
        own = written(local, bench.places, one.layer, one.index, one.token)
        place = next(place for place in bench.places if one.layer in place.reads)
        reads = blocks(place.dictionary.W_enc, len(place.reads))[:, place.reads.index(one.layer)].any(1)
        could = (reads & place.dictionary.W_dec.any(1)).nonzero()[:, 0].tolist()
        others = [index for index in could if index != one.index]
        if not others:
            raise DataError(f"layer {one.layer} has no other feature to be the control: train a larger transcoder")
        drawn = others[int(torch.randint(len(others), (1,), generator=draws))]
        other = written(local, bench.places, one.layer, drawn, one.token)
        scale = (new - old) * _size(own) / _size(other)
        for layer, vector in other.items():
            delta = found.setdefault(layer, torch.zeros_like(local.seen["embed"]))
            delta[one.token] += scale * vector
    return found


def _size(vectors: Mapping[int, Tensor]) -> float:
    return float(sum(float(x.double().square().sum()) for x in vectors.values())) ** 0.5


def _findings(predicted: Tensor, measured: Mapping[str, Tensor], random: Tensor) -> tuple[Finding, ...]:
    n, found = len(predicted), []
    size, control = float(measured["free"].abs().mean()), float(random.abs().mean())
    found.append(Finding("effect", size, control, RANDOM, size, size, n, "logits"))
    if not bool(predicted.isnan().any()):
        beside = float(torch.stack([_off(predicted, row) for row in random]).mean())
        for how in ("patterns", "free"):
            off = float(_off(predicted, measured[how]))
            found.append(Finding(f"prediction_off_{how}", off, beside, f"against {RANDOM}", off, off, n, "logits"))
    return tuple(found)


def _off(predicted: Tensor, measured: Tensor) -> Tensor:
    """The sum of |predicted - measured| as a share of that of |measured|."""
    return (predicted - measured).abs().sum() / measured.abs().sum().clamp(min=torch.finfo(torch.float64).tiny)
