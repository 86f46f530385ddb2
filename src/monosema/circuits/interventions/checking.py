"""Is the graph right? Its most influential features taken away one by one, and what it predicted beside what happened.

Two controls. In place of a feature's vector, a random one of the same size at the same layers and token: were the
predictions as near to what that does, they would say nothing of the feature. And in place of the features, others that
fire but are not in the graph, each the nearest in the size of what it writes: were their effects as large, the graph
would have left out what matters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from scipy.stats import rankdata
from torch import Tensor

from monosema.circuits.attribution.graph import FEATURE, LOGIT, Graph
from monosema.circuits.attribution.tracing import edited
from monosema.circuits.interventions.changes import Change, added
from monosema.circuits.interventions.effects import Bench, How
from monosema.circuits.interventions.predicting import total_effects
from monosema.core.errors import DataError
from monosema.core.findings import Finding, bootstrap
from monosema.core.seeding import generator


@dataclass(frozen=True)
class Check:
    """Features of a graph taken away one at a time, and the change of one target's centred logit.

    nodes      their numbers in the graph, the most influential first
    predicted  by the graph, all paths together; direct: by its edge to the target alone, which is all that the linear
               model has, and is compared there
    measured   in the model; direction: when a random vector of the same size is taken away instead
    others     when a feature that is not in the graph is, of nearly the same size; NaN where there is none
    """

    nodes: Int64[Tensor, "n"]
    predicted: Float[Tensor, "n"]
    direct: Float[Tensor, "n"]
    measured: Float[Tensor, "n"]
    direction: Float[Tensor, "n"]
    others: Float[Tensor, "n"]
    findings: tuple[Finding, ...]


@torch.no_grad()
def check(bench: Bench, graph: Graph, n: int = 32, how: How = "free", seed: int = 0) -> Check:
    """The `n` most influential features of `graph` taken away on `bench`, and the likeliest target's logit.

    Raises DataError when the graph has no features, or is another prompt's or made with other edits.
    """
    if not torch.equal(graph.tokens, bench.tokens.cpu()):
        raise DataError("the graph is of another prompt than the one on the bench: trace this prompt")
    theirs, ours = graph.facts.get("edits", ""), edited(bench.model, bench.edits)
    if theirs != ours:
        raise DataError(
            f"the graph was made with edits at {theirs or 'no site'}, the bench with edits at {ours or 'no site'}: "
            "give both the same"
        )
    nodes = graph.nodes
    features = nodes.of("feature")
    if len(features) == 0:
        raise DataError("the graph has no features to take away: prune it less")
    chosen = features[nodes.influence[features].argsort(descending=True, stable=True)[:n]]
    logit = int(nodes.value.where(nodes.kind == LOGIT, -1).argmax())
    token = int(nodes.index[logit])
    rows = zip(*(column[chosen].tolist() for column in (nodes.layer, nodes.index, nodes.token)), strict=True)
    changes = [Change(*row) for row in rows]
    deltas = [_delta(bench, one) for one in changes]
    draws = generator(seed, "random directions")
    others = _others(bench, graph, deltas)
    columns = {
        "predicted": -total_effects(graph, logit)[chosen],
        "direct": -_direct(graph, chosen, logit),
        "measured": _measured(bench, deltas, token, how),
        "direction": _measured(bench, [_random(delta, draws) for delta in deltas], token, how),
        "others": _measured(bench, others, token, how),
    }
    expected = columns["direct" if how == "linear" else "predicted"]
    return Check(chosen, **columns, findings=_findings(columns, expected, seed))


def _delta(bench: Bench, change: Change) -> Mapping[int, Tensor]:
    return added(bench.scene.local, bench.scene.replaced.active, bench.places, [change])


def _random(delta: Mapping[int, Tensor], draws: torch.Generator) -> Mapping[int, Tensor]:
    found = {}
    for layer, x in delta.items():
        drawn = torch.randn(x.shape, generator=draws, dtype=torch.float64).to(x)
        found[layer] = drawn / drawn.norm(dim=1, keepdim=True) * x.norm(dim=1, keepdim=True)
    return found


def _others(bench: Bench, graph: Graph, deltas: Sequence[Mapping[int, Tensor]]) -> list[Mapping[int, Tensor] | None]:
    """For each of `deltas`, what taking away the nearest in size of the features outside the graph adds; each once."""
    active, nodes = bench.scene.replaced.active, graph.nodes
    mine = nodes.kind == FEATURE
    inside = set(zip(*(column[mine].tolist() for column in (nodes.layer, nodes.index, nodes.token)), strict=True))
    size = torch.zeros(len(active), dtype=torch.float64)
    for what in bench.scene.replaced.written.values():
        size.index_add_(0, what.source.cpu(), what.vectors.double().square().sum(1).cpu())
    places = list(zip(*(column.tolist() for column in (active.layer, active.index, active.token)), strict=True))
    size = size.sqrt()
    left = {i for i, place in enumerate(places) if place not in inside}
    found: list[Mapping[int, Tensor] | None] = []
    for delta in deltas:
        wanted = float(sum(x.double().square().sum() for x in delta.values())) ** 0.5
        nearest = min(left, key=lambda i: abs(float(size[i]) - wanted), default=None)
        left.discard(-1 if nearest is None else nearest)
        found.append(None if nearest is None else _delta(bench, Change(*places[nearest])))
    return found


def _measured(bench: Bench, deltas: Sequence[Mapping[int, Tensor] | None], token: int, how: How) -> Tensor:
    effects = [float("nan") if delta is None else float(bench.add(delta, how).logits[token]) for delta in deltas]
    return torch.tensor(effects, dtype=torch.float64)


def _direct(graph: Graph, chosen: Tensor, logit: int) -> Tensor:
    direct = torch.zeros(len(graph.nodes), dtype=torch.float64)
    here = graph.edges.target == logit
    direct[graph.edges.source[here]] = graph.edges.weight[here].double()
    return direct[chosen]


def _findings(columns: Mapping[str, Tensor], expected: Tensor, seed: int) -> tuple[Finding, ...]:
    measured, n = columns["measured"], len(columns["measured"])
    draws = generator(seed, "check")
    agreement, low, high = bootstrap(_terms(expected, measured), _correlation, draws)
    control = bootstrap(_terms(expected, columns["direction"]), _correlation, draws)[0]
    ones = torch.ones(n, dtype=torch.float64)
    size = bootstrap(torch.stack([measured.abs(), ones], 1), lambda s: s[..., 0] / s[..., 1], draws)
    others = columns["others"][torch.isfinite(columns["others"])].abs()
    beside = float(others.mean()) if len(others) else None
    what = "features that fire but are not in the graph, of the same size" if len(others) else "the graph has them all"
    return (
        Finding("agreement", agreement, control, "random vectors of the same size", low, high, n, "features"),
        Finding("effect", size[0], beside, what, size[1], size[2], n, "features"),
    )


def _terms(first: Tensor, second: Tensor) -> Tensor:
    x, y = (torch.from_numpy(rankdata(values.numpy())) for values in (first, second))
    return torch.stack([torch.ones_like(x), x, y, x * x, y * y, x * y], 1)


def _correlation(sums: Tensor) -> Tensor:
    """Of sums of 1, x, y, x^2, y^2, xy; of ranks it is Spearman's."""
    n, x, y, xx, yy, xy = sums.unbind(-1)
    return (n * xy - x * y) / ((n * xx - x * x) * (n * yy - y * y)).clamp(min=0).sqrt()
