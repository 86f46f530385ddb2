"""Removing features one by one, exactly, each beside a random direction of equal norm in its place."""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from monosema.features.effects.random_directions import random_like
from monosema.features.live.readings import Effects, Reading
from monosema.features.live.rows import Ablation, NextEffect

SEED = 0
"""Of the random directions: a feature has the same one in every prompt."""


def ranked(reading: Reading, at: int) -> list[int]:
    """The features that fire at a position, those of the largest attr over the prompt first."""
    found = reading.codes.indices[reading.entries(at)].tolist()
    sums = reading.sums
    assert sums is not None
    return sorted(found, key=lambda feature: (-abs(float(sums[feature])), feature))


def ablations(reading: Reading, at: int, n: int) -> Iterator[Ablation]:
    """The first `n` of `ranked`, removed from the whole prompt: none is computed before it is asked for."""
    features = ranked(reading, at)[:n]
    for rank, feature in enumerate(features):
        if feature not in reading.measured:
            reading.measured[feature] = _effects(reading, feature)
        yield _ablation(reading, feature, at, rank, len(features))


def directions(reading: Reading, feature: int) -> tuple[Float[Tensor, "1 d_out"], Float[Tensor, "1 d_out"]]:
    """The feature's decoder row and the control's, on the model's device."""
    own = reading.dictionary.W_dec[feature : feature + 1].detach().float().cpu()
    device = reading.scene.tokens.device
    return own.to(device), random_like(own, [feature], SEED).to(device)


def nullable(values: Float[Tensor, "seq"], counted: Bool[Tensor, "seq"]) -> tuple[float | None, ...]:
    """One number a token; None where its loss does not count."""
    pairs = zip(values.tolist(), counted.tolist(), strict=True)
    return tuple(value if counts else None for value, counts in pairs)


def _effects(reading: Reading, feature: int) -> Effects:
    """One row a pass, so that no number depends on what goes beside it."""
    scene, acts = reading.scene, reading.acts(feature).to(reading.scene.tokens.device)
    own, random = directions(reading, feature)
    block = torch.zeros(1, dtype=torch.int64, device=acts.device)

    def direct(direction: Tensor) -> Tensor | None:
        return None if reading.missing["direct"] else scene.direct(block, acts, direction)[0].cpu()

    def total(direction: Tensor) -> Tensor:
        return scene.total(block, acts, direction)[0].cpu()

    return Effects(total(own), direct(own), total(random), direct(random))


def _ablation(reading: Reading, feature: int, at: int, rank: int, n: int) -> Ablation:
    found, sums = reading.measured[feature], reading.sums
    assert sums is not None
    return Ablation(
        feature=feature,
        rank=rank,
        n=n,
        attr=float(sums[feature]),
        total=summed(found.total),
        direct=None if found.direct is None else summed(found.direct),
        random_total=summed(found.random_total),
        random_direct=None if found.random_direct is None else summed(found.random_direct),
        next=_next(reading, found, at + 1),
        tokens=nullable(found.total, reading.scene.counted[0].cpu()),
        acts=tuple(reading.acts(feature)[0].tolist()),
    )


def summed(values: Float[Tensor, "seq"]) -> float:
    """The sum over the tokens, in float64."""
    return float(values.double().sum())


def _next(reading: Reading, found: Effects, place: int) -> NextEffect | None:
    if place >= len(reading.prompt) or not bool(reading.scene.counted[0, place]):
        return None
    loss, total, random = (float(x[place]) for x in (reading.losses, found.total, found.random_total))
    return NextEffect(
        total=total,
        direct=None if found.direct is None else float(found.direct[place]),
        random=random,
        p_with=math.exp(-loss),
        p_without=math.exp(-(loss + total)),
        p_random=math.exp(-(loss + random)),
    )
