"""Nodes moved to their baselines one by one, or together, and the model run: what the estimates are held to.

Many groups of nodes go through one forward pass, each with its own copy of the pairs: rows are [group, pair].
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.circuits.features.effects import baselines, batches
from monosema.circuits.features.nodes import FeatureNode
from monosema.circuits.features.parts import Part
from monosema.circuits.features.settings import CircuitConfig
from monosema.circuits.features.states import Means, State, apart, read_states
from monosema.circuits.patch.metrics import measure
from monosema.circuits.patch.pairs import Pairs
from monosema.models import Edit, Model


@torch.no_grad()
def exact_effects(
    model: Model,
    pairs: Pairs,
    parts: Sequence[Part],
    groups: Sequence[Sequence[FeatureNode]],
    config: CircuitConfig,
    means: Means | None = None,
) -> Float[Tensor, "group pair"]:
    """m(clean) - m(clean, all nodes of the group at their baselines), pair by pair."""
    found = [_of_batch(model, batch, parts, groups, config, means) for batch in batches(pairs, config.rows)]
    return torch.cat(found, 1)


def _of_batch(
    model: Model,
    pairs: Pairs,
    parts: Sequence[Part],
    groups: Sequence[Sequence[FeatureNode]],
    config: CircuitConfig,
    means: Means | None,
) -> Float[Tensor, "group pair"]:
    clean = read_states(model, parts, pairs.clean)
    base = baselines(model, pairs, parts, clean, config, means)
    before = measure(config.metric, model.run(pairs.clean, ["logits"])["logits"][:, -1], pairs).cpu()
    found, step = [before.new_empty(0, len(pairs))], max(1, config.rows // len(pairs))
    for start in range(0, len(groups), step):
        some = groups[start : start + step]
        edits = _edits(parts, some, base, len(pairs))
        logits = model.run(pairs.clean.repeat(len(some), 1), ["logits"], edits)["logits"][:, -1]
        found.append(before - measure(config.metric, logits.unflatten(0, (len(some), -1)), pairs).cpu())
    return torch.cat(found)


def _edits(
    parts: Sequence[Part], groups: Sequence[Sequence[FeatureNode]], base: Sequence[State], n_pairs: int
) -> list[Edit]:
    """At each part that a group has nodes of, these moved from what the changed model makes to their baselines."""
    seen: dict[str, Tensor] = {}
    edits = []
    for i, part in enumerate(parts):
        here = {g: nodes for g, group in enumerate(groups) if (nodes := [node for node in group if node.part == i])}
        if not here:
            continue
        if part.reads != part.writes:
            edits.append(Edit(part.reads, noting(part.reads, seen)))
        edits.append(Edit(part.writes, _moving(part, here, base[i], n_pairs, seen)))
    return edits


def noting(site: str, seen: dict[str, Tensor]) -> Callable[[Tensor], Tensor]:
    """An edit that changes nothing and keeps what is at `site`."""

    def apply(x: Tensor) -> Tensor:
        seen[site] = x
        return x

    return apply


def _moving(
    part: Part, here: Mapping[int, Sequence[FeatureNode]], base: State, n_pairs: int, seen: Mapping[str, Tensor]
) -> Callable[[Tensor], Tensor]:
    def apply(x: Tensor) -> Tensor:
        rows = x.unflatten(0, (-1, n_pairs))
        reads = rows if part.reads == part.writes else seen[part.reads].unflatten(0, (-1, n_pairs))
        for group, nodes in here.items():
            now = apart(part, reads[group], rows[group])
            moves = torch.stack([moved(part, node, now, base) for node in nodes])
            rows[group] += moves.sum(0).view_as(rows[group])
        return x

    return apply


def moved(part: Part, node: FeatureNode, clean: State, base: State) -> Float[Tensor, "pair token d"]:
    """What is added to the activation of a node's part when the node goes from its value in `clean` to its baseline."""
    where = slice(None) if node.position is None else node.position
    delta = torch.zeros_like(clean.error)
    if node.feature is None:
        delta[:, where] = (base.error - clean.error)[:, where]
        return delta
    values = [_column(state, node.feature).view(delta.shape[:2]).to(delta) for state in (clean, base)]
    after = values[1] if base.constant is None else values[1] + base.constant[:, node.feature].to(delta)
    delta[:, where] = ((after - values[0])[..., None] * part.directions(delta)[node.feature])[:, where]
    return delta


def _column(state: State, feature: int) -> Float[Tensor, "row"]:
    """The activations of one feature on every row."""
    codes = state.codes
    mine = codes.indices == feature
    column = codes.values.new_zeros(len(codes))
    column[codes.rows()[mine]] = codes.values[mine]
    return column
