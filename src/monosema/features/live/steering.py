"""Steering: a feature set, scaled or limited at every usable position, and what comes of it.

x <- x + (a' - a) d        the reconstruction error stays
x <- x + (a' - a) r        the control: r a random direction of d's norm
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from monosema.features.effects.scene import losses_at
from monosema.features.effects.subjects import require_loss_effect
from monosema.features.live.ablating import directions, nullable, summed
from monosema.features.live.prompts import Tokenizer, Words, separator_of
from monosema.features.live.readings import Reading, probabilities
from monosema.features.live.rows import Change, Samples, Steered
from monosema.features.live.sampling import Altered, plainly, sampled
from monosema.features.live.settings import Draw, Steer

N_CHANGED = 8


def taken_off(acts: Float[Tensor, "1 seq"], usable: Bool[Tensor, "1 seq"], steer: Steer) -> Float[Tensor, "1 seq"]:
    """a - a' at every position; 0 where nothing is read."""
    if steer.how == "set":
        changed = torch.full_like(acts, steer.value)
    else:
        changed = acts * steer.value if steer.how == "scale" else acts.clamp(max=steer.value)
    return torch.where(usable, acts - changed, 0.0)


@torch.no_grad()
def steered(reading: Reading, tokenizer: Tokenizer, words: Words, at: int, steer: Steer, draw: Draw) -> Steered:
    """What the change does to the losses, to the prediction at a position, and to sampled text.

    Raises SiteError where effects are not defined, ConfigError when there is no such feature.
    """
    require_loss_effect(reading.dictionary.writes)
    acts, usable = reading.acts(steer.feature), reading.prompt.blocks.usable
    removed = taken_off(acts, usable, steer)
    rows = directions(reading, steer.feature)
    (changes, final), (random_changes, random_final) = (_after(reading, removed, direction) for direction in rows)
    streams = (reading.scene.final[0], final, random_final)
    before, here, randomly = (probabilities(reading, x[at], tokenizer) for x in streams)
    counted = reading.scene.counted[0].cpu()
    order = (here - before).sort(descending=True, stable=True).indices
    parts = (order[:N_CHANGED], order.flip(0)[:N_CHANGED])
    raised, lowered = (tuple(_change(int(i), words, before, here, randomly) for i in part) for part in parts)
    return Steered(
        steer=steer,
        draw=draw,
        at=at,
        n_fires=int((acts != 0).sum()),
        n_changed=int((removed != 0).sum()),
        loss=summed(changes),
        random_loss=summed(random_changes),
        tokens=nullable(changes, counted),
        divergence=_divergence(before, here),
        random_divergence=_divergence(before, randomly),
        raised=tuple(c for c in raised if c.after > c.before),
        lowered=tuple(c for c in lowered if c.after < c.before),
        samples=_samples(reading, tokenizer, steer, draw) if draw.n_tokens else None,
    )


def _after(reading: Reading, removed: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """The change of each token's loss [seq], and the last residual stream [seq, d_model]."""
    scene, device = reading.scene, reading.scene.tokens.device
    block, removed = torch.zeros(1, dtype=torch.int64, device=device), removed.to(device)
    final, wanted = scene.without(block, removed, direction), scene.reached(block, removed)
    losses = losses_at(scene.route.model.unembed, final, scene.tokens, wanted)
    return (losses - scene.losses * wanted)[0].cpu(), final[0]


def _change(token: int, words: Words, before: Tensor, after: Tensor, random: Tensor) -> Change:
    return Change(token, words(token), float(before[token]), float(after[token]), float(random[token]))


def _divergence(before: Float[Tensor, "d_vocab"], after: Float[Tensor, "d_vocab"]) -> float:
    """KL(before, after), nats."""
    terms = torch.where(before > 0, before * (before.log() - after.log()), 0.0)
    return max(0.0, float(terms.sum()))


def _samples(reading: Reading, tokenizer: Tokenizer, steer: Steer, draw: Draw) -> Samples:
    route, ids = reading.scene.route, reading.prompt.ids
    room = route.model.n_context - len(ids)

    def change(acts: Tensor, usable: Tensor) -> Tensor:
        return taken_off(acts, usable, steer)

    own, random = (
        Altered(route, reading.dictionary, steer.feature, change, direction, separator_of(tokenizer))
        for direction in directions(reading, steer.feature)
    )
    plain, with_it, with_control = (
        sampled(ids, last, route.model.unembed, tokenizer, room, draw) for last in (plainly(route), own, random)
    )
    return Samples(plain, with_it, with_control)
