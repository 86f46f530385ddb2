"""What an erasure costs, beside a random eraser of the same rank.

    mse                mean |x' - x|^2                              (squared units of the activations)
    share_changed      mean |x' - x|^2 / mean |x - mean x|^2        LEACE's is the least of all affine guarded erasers
    variance_removed   1 - mean |x' - mean x'|^2 / mean |x - mean x|^2     below 0 where variance grows
    loss               nats per token of the model with the eraser spliced in
    loss_added         loss - loss without it

The mean of the mean-difference eraser is moved as published: its mse counts that, its variance does not.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from monosema.core.findings import Finding, bootstrap
from monosema.core.seeding import generator
from monosema.models.losses import next_token_loss
from monosema.models.model import Edit, Model
from monosema.probes.erasers.eraser import Eraser
from monosema.probes.erasers.fitting import random_eraser

BATCH = 16
"""Sequences of a pass."""


def price(eraser: Eraser, x: Float[Tensor, "n d"], seed: int = 0) -> dict[str, Finding]:
    """mse, share_changed and variance_removed on rows `x`, each beside a random eraser of equal rank; the intervals
    are the bootstrap over rows."""
    control = random_eraser(x.detach().double().mean(0), eraser.rank, seed)
    ours, random = (_terms(each, x.detach()) for each in (eraser, control))
    formulas = {
        "mse": ("mean squared change of a row", lambda s: s[..., 0] / s[..., 3]),
        "share_changed": ("mean squared change over the variance", lambda s: s[..., 0] / s[..., 1]),
        "variance_removed": ("share of variance removed", lambda s: 1 - s[..., 2] / s[..., 1]),
    }
    found: dict[str, Finding] = {}
    for key, (name, formula) in formulas.items():
        value, low, high = bootstrap(ours, formula, generator(seed, "price"))
        beside = float(formula(random.sum(0)))
        found[key] = Finding(name, value, beside, "a random eraser of equal rank", low, high, len(x), "rows")
    return found


def _terms(eraser: Eraser, x: Float[Tensor, "n d"]) -> Float64[Tensor, "n 4"]:
    rows, erased = x.double(), eraser(x).double()
    change = (erased - rows).square().sum(1)
    before, after = ((each - each.mean(0)).square().sum(1) for each in (rows, erased))
    return torch.stack([change, before, after, torch.ones_like(change)], 1).cpu()


def loss_price(
    model: Model, tokens: Int64[Tensor, "batch seq"], erasers: Mapping[str, Eraser], seed: int = 0
) -> dict[str, Finding]:
    """`loss` of the model with every eraser of `erasers` (site -> eraser) spliced in at all positions, beside its loss
    without them; and `loss_added`, beside random erasers of equal rank and mean at the same sites.

    Every next-token prediction of `tokens` counts. The intervals are the bootstrap over sequences.
    """
    random = {site: random_eraser(e.mean, e.rank, seed + i) for i, (site, e) in enumerate(erasers.items())}
    sums = [_losses(model, tokens, [each.edit(site) for site, each in of.items()]) for of in ({}, erasers, random)]
    terms = torch.stack([*sums, torch.full_like(sums[0], tokens.shape[1] - 1)], 1)

    def per_token(column: int, less: int | None) -> tuple[float, float, float]:
        draws = generator(seed, "loss price")
        base = 0.0 if less is None else 1.0
        return bootstrap(terms, lambda s: (s[..., column] - base * s[..., less or 0]) / s[..., 3], draws)

    n = len(tokens)
    loss, added = per_token(1, None), per_token(1, 0)
    clean, by_random = per_token(0, None)[0], per_token(2, 0)[0]
    return {
        "loss": Finding("nats per token with the eraser", loss[0], clean, "the model as it is", *loss[1:], n, "texts"),
        "loss_added": Finding(
            "nats per token added", added[0], by_random, "random erasers of equal rank", *added[1:], n, "texts"
        ),
    }


def _losses(model: Model, tokens: Int64[Tensor, "batch seq"], edits: Sequence[Edit]) -> Float64[Tensor, "batch"]:
    """The sum of next-token losses of every sequence."""
    with torch.no_grad():
        sums = [
            next_token_loss(model.run(part, ["logits"], edits)["logits"], part.to(model.device)).double().sum(1).cpu()
            for part in tokens.split(BATCH)
        ]
    return torch.cat(sums)
