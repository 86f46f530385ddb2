"""What every node adds to the metric, estimated from gradients.

    effect of a node  =  m(clean) - m(clean, the node moved to its baseline)
                      ~  (its clean value - its baseline) <slope, what a unit of it writes>

    gradients              slope = gradient of m at the site on the clean prompt: one backward pass for all sites
    integrated gradients   slope = mean of the gradients at points of the straight way from the site's clean activation
                           to its baseline, later sites as the model makes them: `steps` passes for each site

At one site all nodes together are moved along that very way, so integrated gradients add up to m(clean) - m(the whole
site at its baseline), but for the error of a midpoint sum: at most max |m'''| / (24 steps^2), m along the way.
Marks et al. (2024) take the points 0, 1/N .. (N - 1)/N, whose error falls as 1/N, and the other sign.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.circuits.features.nodes import FeatureEffects, NodeSet
from monosema.circuits.features.parts import Part
from monosema.circuits.features.settings import CircuitConfig
from monosema.circuits.features.states import Means, State, read_states
from monosema.circuits.patch.activation import at_the_end
from monosema.circuits.patch.metrics import measure
from monosema.circuits.patch.pairs import Pairs
from monosema.core.errors import DataError
from monosema.dictionaries import SparseCodes
from monosema.models import Edit, Model
from monosema.models.losses import require_next_token
from monosema.models.offsets import offsets

Method = Literal["gradients", "integrated gradients"]

ENTRIES_AT_ONCE = 2**14


def feature_effects(
    model: Model,
    pairs: Pairs,
    parts: Sequence[Part],
    config: CircuitConfig,
    means: Means | None = None,
    method: Method = "integrated gradients",
) -> FeatureEffects:
    """The effects of all nodes of `parts`, means over `pairs`. `means`: the baseline `mean` needs them.

    Raises DataError for an effect that is not finite and a baseline without its means, and what `Model.run` raises.
    """
    require_next_token(model, "a circuit of features")
    n_places = pairs.n_tokens if config.positions else 1
    sums = [torch.zeros(n_places, part.n_features + 1, dtype=torch.float64) for part in parts]
    active = [torch.zeros(n_places, part.n_features + 1, dtype=torch.bool) for part in parts]
    measured: list[tuple[Tensor, Tensor]] = []
    for batch in batches(pairs, config.rows):
        with torch.no_grad():
            clean = read_states(model, parts, batch.clean)
            base = baselines(model, batch, parts, clean, config, means)
            measured.append(
                (
                    at_the_end(model, batch.clean, batch, config.metric),
                    at_the_end(model, batch.corrupted, batch, config.metric),
                )
            )
        slopes = gradients(model, batch, parts, config) if method == "gradients" else None
        for i, part in enumerate(parts):
            slope = along_the_way(model, batch, part, (clean[i], base[i]), config) if slopes is None else slopes[i]
            _add(part, clean[i], base[i], slope, sums[i], active[i])
    values = tuple(one / len(pairs) for one in sums)
    if not all(bool(torch.isfinite(one).all()) for one in values):
        raise DataError(f"effects in {model.name} are not finite: look for NaN in its weights")
    ends = [torch.cat([pair[i] for pair in measured]) for i in range(2)]
    return FeatureEffects(tuple(parts), values, NodeSet(tuple(active)), config.positions, ends[0], ends[1], method)


def batches(pairs: Pairs, rows: int) -> Iterator[Pairs]:
    """The pairs, `rows` at a time."""
    for start in range(0, len(pairs), rows):
        yield pairs.where(slice(start, start + rows))


def baselines(
    model: Model,
    pairs: Pairs,
    parts: Sequence[Part],
    clean: Sequence[State],
    config: CircuitConfig,
    means: Means | None,
) -> tuple[State, ...]:
    """What nodes are moved to on each pair. Raises DataError when the mean is asked for and not given."""
    if config.baseline == "corrupted":
        return read_states(model, parts, pairs.corrupted)
    if config.baseline == "mean":
        if means is None:
            raise DataError("the baseline is the mean, and no means were given: take them by means_of")
        return tuple(means.state(i, state) for i, state in enumerate(clean))
    nothing = [
        SparseCodes(s.codes.indices[:0], s.codes.values[:0], torch.zeros_like(s.codes.offsets), part.n_features)
        for s, part in zip(clean, parts, strict=True)
    ]
    return tuple(State(codes, None, torch.zeros_like(s.error)) for codes, s in zip(nothing, clean, strict=True))


def gradients(model: Model, pairs: Pairs, parts: Sequence[Part], config: CircuitConfig) -> list[Tensor]:
    """The gradient of the metric at what each part writes [pair, token, d], on the clean prompts."""
    edits, added = offsets([part.writes for part in parts])
    with torch.enable_grad():
        logits = model.run(pairs.clean, ["logits"], edits)["logits"][:, -1]
        found = torch.autograd.grad(measure(config.metric, logits, pairs).sum(), [added[p.writes] for p in parts])
    return [slope.flatten(2) for slope in found]


def along_the_way(
    model: Model, pairs: Pairs, part: Part, ends: tuple[State, State], config: CircuitConfig
) -> Float[Tensor, "pair token d"]:
    """The mean gradient at the midpoints of `config.steps` equal pieces of the way from one end to the other."""
    start, stop = (state.activation(part) for state in ends)
    total, at_once = torch.zeros_like(start), max(1, config.rows // len(pairs))
    points = (torch.arange(config.steps, dtype=torch.float64) + 0.5) / config.steps
    for some in points.split(at_once):
        share = some.to(start)[:, None, None, None]
        leaf = (start + share * (stop - start)).flatten(0, 1).requires_grad_(True)
        tokens = pairs.clean.repeat(len(some), 1)
        with torch.enable_grad():
            edit = Edit(part.writes, lambda x, leaf=leaf: leaf.view_as(x).to(x))
            logits = model.run(tokens, ["logits"], [edit])["logits"][:, -1].unflatten(0, (len(some), -1))
            [slope] = torch.autograd.grad(measure(config.metric, logits, pairs).sum(), [leaf])
        total += slope.view(len(some), *start.shape).sum(0)
    return total / config.steps


def _add(part: Part, clean: State, base: State, slope: Tensor, sums: Tensor, active: Tensor) -> None:
    """Add what each node of a part does on some pairs, and mark the nodes that move."""
    n_tokens, width = slope.shape[1], part.n_features + 1
    rows, indices, values = _moves(clean.codes, base.codes)
    effects = values * _along(part, rows, indices, slope.flatten(0, 1))
    places = rows % n_tokens if len(sums) > 1 else torch.zeros_like(rows)
    flat = (places * width + indices).cpu()
    sums.view(-1).index_add_(0, flat, effects.double().cpu())
    active.view(-1)[flat[(values != 0).cpu()]] = True
    if base.constant is not None:
        along = slope.sum(0) @ part.directions(slope).T
        _put(sums[:, :-1], -(base.constant.to(along) * along).double().cpu())
        active[:, :-1] |= _over_places(base.constant.cpu() != 0, len(sums))
    left = clean.error - base.error
    _put(sums[:, -1:], (left * slope).sum((0, 2)).double().cpu()[:, None])
    active[:, -1:] |= _over_places((left != 0).any(2).any(0).cpu()[:, None], len(sums))


def _moves(clean: SparseCodes, base: SparseCodes) -> tuple[Tensor, Tensor, Tensor]:
    """(row, feature, clean value less the baseline's) of every feature that fires on a row of either."""
    keys = torch.cat([codes.rows() * codes.n_features + codes.indices for codes in (clean, base)])
    found, number = keys.unique(return_inverse=True)
    values = torch.cat([clean.values, -base.values])
    difference = values.new_zeros(len(found)).index_add_(0, number, values)
    return found // clean.n_features, found % clean.n_features, difference


def _along(part: Part, rows: Tensor, indices: Tensor, slope: Float[Tensor, "row d"]) -> Float[Tensor, "entry"]:
    """<slope of its row, what a unit of its feature writes> of each entry."""
    if part.dictionary is None:
        return slope[rows, indices]
    directions, found = part.directions(slope), slope.new_empty(len(rows))
    for start in range(0, len(rows), ENTRIES_AT_ONCE):
        some = slice(start, start + ENTRIES_AT_ONCE)
        found[some] = torch.linalg.vecdot(slope[rows[some]], directions[indices[some]])
    return found


def _put(sums: Tensor, by_token: Float[Tensor, "token m"]) -> None:
    sums += by_token if len(sums) > 1 else by_token.sum(0, keepdim=True)


def _over_places(by_token: Tensor, n_places: int) -> Tensor:
    return by_token if n_places > 1 else by_token.any(0, keepdim=True)
