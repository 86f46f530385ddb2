"""Attribution patching (Nanda 2023): every patch estimated from one forward and one backward pass.

    effect of a place  ~  <gradient of the metric there on the corrupted prompt, clean - corrupted>

Exact in a linear model; where norms, softmaxes and MLPs bend, it is off, and `agreement` says by how much.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Int64
from torch import Tensor

from monosema.circuits.patch.activation import at_the_end, changes
from monosema.circuits.patch.effects import Effects, named
from monosema.circuits.patch.metrics import Metric, measure
from monosema.circuits.patch.pairs import Pairs
from monosema.circuits.patch.places import Dictionaries, Group, Patch, require_places
from monosema.models import Edit, Model
from monosema.models.losses import require_next_token


def attribution_patching(
    model: Model,
    pairs: Pairs,
    groups: Sequence[Group],
    metric: Metric = "logit_diff",
    dictionaries: Dictionaries | None = None,
    source: Int64[Tensor, "pair token"] | None = None,
) -> Effects:
    """Estimates of what `activation_patching` measures; a group's is the sum of its places'. Raises as that does."""
    require_next_token(model, "patching")
    given = dictionaries or {}
    require_places(model, groups, pairs.n_tokens, given)
    with torch.no_grad():
        clean = at_the_end(model, pairs.clean, pairs, metric)
        carried = changes(model, pairs, groups, given, pairs.clean if source is None else source)
    sites = sorted({patch.site for group in groups for patch in group})
    with torch.enable_grad():
        seen = model.run(pairs.corrupted, [*sites, "logits"], [Edit("embed", _differentiable)])
        measured = measure(metric, seen["logits"][:, -1], pairs)
        gradients = torch.autograd.grad(measured.sum(), [seen[site] for site in sites]) if sites else ()
    slope, here = dict(zip(sites, gradients, strict=True)), {site: seen[site].detach() for site in sites}
    corrupted = measured.detach().cpu()

    def estimate(patch: Patch) -> Tensor:
        x = here[patch.site].clone()
        carried.put(patch, x)
        cut = patch.cut(x)
        return ((x - here[patch.site])[cut] * slope[patch.site][cut]).flatten(1).double().sum(1).cpu()

    each = {patch: estimate(patch) for patch in {patch for group in groups for patch in group}}
    rows = [sum((each[patch] for patch in group), corrupted) for group in groups]
    values = torch.stack(rows) if rows else corrupted.new_empty(0, len(pairs))
    return Effects(named(groups), values, clean, corrupted, metric)


def _differentiable(x: Tensor) -> Tensor:
    return x + torch.zeros_like(x, requires_grad=True)
