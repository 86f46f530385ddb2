"""From a prompt to its attribution graph.

    one pass --> linear model --> transcoders in place of MLPs --> rows from the logits down --> graph and scores

Beside the scores stands the same with transcoders in which nothing is learned: what each feature writes is what
another one wrote, so that as many fire, as strongly, and write vectors of the same sizes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from monosema.circuits.attribution.graph import BIAS, ERROR, FEATURE, LOGIT, POSITION, TOKEN, Graph, Nodes, Scores
from monosema.circuits.attribution.places import Place, Transcoder, placed
from monosema.circuits.attribution.replacing import replace_mlps
from monosema.circuits.attribution.rows import Scene, scene
from monosema.circuits.attribution.scores import scores_from
from monosema.circuits.attribution.sweep import Swept, sweep
from monosema.circuits.attribution.targets import targets_of
from monosema.circuits.linear.local import hold, require_patterns
from monosema.core.config import require_range
from monosema.core.findings import Finding
from monosema.core.seeding import generator
from monosema.models import Edit, Model

CONTROL = "the same transcoders, each feature writing what another one wrote"


@dataclass(frozen=True)
class TraceConfig:
    """How a prompt is traced.

    targets        tokens to explain; none: the likeliest, as few as have `probability`, at most `most_targets`
    max_features   features in the graph; beyond it those that write least are merged into the errors
    from_token     features at earlier tokens are merged into the errors as well (circuit-tracer: 1)
    edge_floor     influence, as a share of the targets' probability, below which an edge is not kept; 0 keeps all
    constants      whether biases and position embeddings take a share of influence
    control        whether the scores' control is computed, which takes as long again
    fingerprints   whether those of model and transcoders are among the facts: a second per gigabyte of them
    workspace      MiB that blocks of rows may take
    """

    targets: tuple[int, ...] = ()
    probability: float = 0.95
    most_targets: int = 10
    max_features: int = 32_768
    from_token: int = 0
    edge_floor: float = 1e-8
    constants: bool = True
    control: bool = True
    fingerprints: bool = True
    seed: int = 0
    workspace: int = 256

    def __post_init__(self) -> None:
        require_range("probability", self.probability, 0, 1, open_low=True)
        require_range("most_targets", self.most_targets, 1)
        require_range("max_features", self.max_features, 0)
        require_range("from_token", self.from_token, 0)
        require_range("edge_floor", self.edge_floor, 0)
        require_range("workspace", self.workspace, 1)


@torch.no_grad()
def trace(
    model: Model,
    transcoders: Sequence[Transcoder],
    tokens: Int64[Tensor, "token"],
    config: TraceConfig = TraceConfig(),
    *,
    edits: Sequence[Edit] = (),
) -> Graph:
    """The attribution graph of `tokens`, the whole of it: see `Graph.prune`. `edits` of attention patterns are part
    of the pass that it explains.

    Raises ConfigError for a family that cannot be linearised and for edits elsewhere, MismatchError for transcoders
    that are another model's, leave a layer out or are no transcoders, and DataError for a prompt or a target that the
    model does not take.
    """
    set_up = prepared(model, transcoders, tokens, config, edits)
    swept = sweep(set_up, config.edge_floor, constants=config.constants)
    nodes = _nodes(set_up, swept, tokens.cpu())
    scores = scores_from(nodes, swept.error_share, swept.dropped)
    places = placed(model, transcoders)
    control = _control(set_up, places, tokens.cpu(), config) if config.control else None
    facts = {"model": model.name, "merged_features": str(set_up.replaced.merged), "constants": str(config.constants)}
    if edits:
        facts["edits"] = edited(model, edits)
    if config.fingerprints:
        facts["model_fingerprint"] = model.fingerprint
        facts["transcoders"] = "+".join(place.dictionary.fingerprint for place in places)
    findings = _findings(scores, control, len(set_up.numbers))
    return Graph(nodes, swept.edges, tokens.cpu(), model.n_layers, scores, findings, facts)


@torch.no_grad()
def prepared(
    model: Model,
    transcoders: Sequence[Transcoder],
    tokens: Int64[Tensor, "token"],
    config: TraceConfig,
    edits: Sequence[Edit] = (),
) -> Scene:
    """Everything that rows are made of. Raises as `trace` does."""
    local = hold(model, tokens, edits)
    places = placed(model, transcoders)
    skips = {place.reads[0]: place.W_skip.to(local.W_U) for place in places if place.W_skip is not None}
    local = local.with_skips(skips)
    targets = targets_of(local, config.targets, config.probability, config.most_targets)
    return scene(
        local, replace_mlps(local, places, config.max_features, config.from_token), targets, config.workspace << 20
    )


def edited(model: Model, edits: Sequence[Edit]) -> str:
    """The sites of `edits`, as the facts of a graph say them."""
    return ",".join(require_patterns(model, edits))


def _control(set_up: Scene, places: Sequence[Place], tokens: Tensor, config: TraceConfig) -> Scores:
    shuffled = [_shuffled(place, config.seed, i) for i, place in enumerate(places)]
    replaced = replace_mlps(set_up.local, shuffled, config.max_features, config.from_token)
    beside = scene(set_up.local, replaced, set_up.targets, set_up.workspace)
    swept = sweep(beside, float("inf"), constants=config.constants)
    return scores_from(_nodes(beside, swept, tokens), swept.error_share, swept.dropped)


def _shuffled(place: Place, seed: int, i: int) -> Place:
    """`place` with decoder rows dealt anew among the features that read, and write, the same layers."""
    w, draws = place.dictionary.weights, generator(seed, "decoder rows", str(i))
    shape = (w.n_features, len(place.writes), -1)
    groups = torch.cat([w.W_enc.unflatten(1, (len(place.reads), -1)).ne(0).any(2), w.W_dec.view(shape).ne(0).any(2)], 1)
    kinds = groups.long().unique(dim=0, return_inverse=True)[1]
    W_dec = w.W_dec.clone()
    for kind in range(int(kinds.max()) + 1):
        mine = (kinds == kind).nonzero()[:, 0]
        W_dec[mine] = w.W_dec[mine[torch.randperm(len(mine), generator=draws).to(mine.device)]]
    weights = replace(w, W_enc=w.W_enc, W_dec=W_dec)
    return replace(place, dictionary=replace(place.dictionary, weights=weights))


def _findings(scores: Scores, control: Scores | None, n: int) -> tuple[Finding, ...]:
    found = []
    for name in ("replacement", "completeness"):
        value = getattr(scores, name)
        beside = None if control is None else getattr(control, name)
        what = "skipped" if control is None else CONTROL
        found.append(Finding(name, value, beside, what, value, value, n, "nodes"))
    return tuple(found)


def _nodes(set_up: Scene, swept: Swept, tokens: Tensor) -> Nodes:
    n, active, targets = set_up.numbers, set_up.replaced.active, set_up.targets
    table: dict[str, Any] = {name: torch.full((len(n),), -1) for name in ("kind", "layer", "token", "index")}
    places = torch.arange(n.n_tokens)
    spans = [
        (FEATURE, 0, n.errors, active.layer, active.token, active.index),
        (
            ERROR,
            n.errors,
            n.tokens,
            torch.arange(n.n_layers).repeat_interleave(n.n_tokens),
            places.repeat(n.n_layers),
            -1,
        ),
        (TOKEN, n.tokens, n.positions, -1, places, tokens),
        (POSITION, n.positions, n.bias, -1, places[: n.n_positions], -1),
        (BIAS, n.bias, n.logits, -1, -1, -1),
        (LOGIT, n.logits, len(n), n.n_layers, n.n_tokens - 1, targets.tokens),
    ]
    for kind, start, stop, layer, token, index in spans:
        for name, values in zip(("kind", "layer", "token", "index"), (kind, layer, token, index), strict=True):
            table[name][start:stop] = values.cpu() if isinstance(values, Tensor) else values
    value = torch.zeros(len(n), dtype=torch.float64)
    value[: n.errors], value[n.logits :] = active.value.double().cpu(), targets.probability.double().cpu()
    return Nodes(**table, value=value, influence=swept.influence, total=swept.total, mass=swept.mass)
