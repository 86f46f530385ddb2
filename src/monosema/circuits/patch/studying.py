"""Every place of the kinds asked for, patched, estimated and controlled."""

from collections.abc import Sequence
from dataclasses import dataclass

from monosema.circuits.patch.activation import activation_patching
from monosema.circuits.patch.attribution import attribution_patching
from monosema.circuits.patch.controls import random_groups, unrelated_prompts
from monosema.circuits.patch.effects import Agreement, Effects, agreement, correlation
from monosema.circuits.patch.pairs import Pairs
from monosema.circuits.patch.paths import path_patching, receivers
from monosema.circuits.patch.places import Patch, places
from monosema.circuits.patch.settings import PatchConfig
from monosema.models import Model


@dataclass(frozen=True)
class Kind:
    """The places of one kind, strongest first in `order`; `together`: the strongest `top` in one group, then the random
    groups (none where all places are in it)."""

    name: str
    patches: tuple[Patch, ...]
    exact: Effects
    estimated: Effects
    unrelated: Effects
    order: tuple[int, ...]
    together: Effects

    @property
    def strongest(self) -> Patch:
        return self.patches[self.order[0]]


@dataclass(frozen=True)
class PatchStudy:
    """agreement: of estimates with effects over all kinds; unrelated_agreement: the correlation with the effects of
    estimates for an unrelated prompt. paths: from the strongest head to each reader, all of them last."""

    pairs: Pairs
    kinds: tuple[Kind, ...]
    agreement: Agreement
    unrelated_agreement: float
    sender: Patch | None
    paths: Effects | None
    config: PatchConfig


def study(model: Model, pairs: Pairs, config: PatchConfig, bos: int | None = None) -> PatchStudy:
    """Measure. `bos`: stays in unrelated prompts. Raises as `activation_patching` does."""
    strange = unrelated_prompts(model, pairs, bos, config.seed)
    every = [(name, places(model, (name,), pairs.n_tokens)) for name in config.sites]
    groups = [(patch,) for _, patches in every for patch in patches]
    settings = {"metric": config.metric}
    exact = activation_patching(model, pairs, groups, config.metric, rows=config.rows)
    unrelated = activation_patching(model, pairs, groups, config.metric, source=strange, rows=config.rows)
    estimated = attribution_patching(model, pairs, groups, **settings)
    elsewhere = attribution_patching(model, pairs, groups, **settings, source=strange)
    kinds, start = [], 0
    for name, patches in every:
        part = slice(start, start := start + len(patches))
        own = [_part(effects, part) for effects in (exact, estimated, unrelated)]
        order = own[0].share.abs().argsort(descending=True, stable=True).tolist()
        together = _together(model, pairs, patches, order, config)
        kinds.append(Kind(name, patches, *own, tuple(order), together))
    sender = max(
        ((kind.strongest, abs(float(kind.exact.share[kind.order[0]]))) for kind in kinds if _sends(kind.strongest)),
        key=lambda found: found[1],
        default=(None, 0.0),
    )[0]
    return PatchStudy(
        pairs,
        tuple(kinds),
        agreement(estimated, exact, config.shown),
        correlation(elsewhere.share, exact.share),
        sender,
        None if sender is None else _paths(model, pairs, sender, config),
        config,
    )


def _sends(patch: Patch) -> bool:
    return patch.site.startswith("attn_z.")


def _part(effects: Effects, rows: slice) -> Effects:
    return Effects(effects.names[rows], effects.values[rows], effects.clean, effects.corrupted, effects.metric)


def _together(
    model: Model, pairs: Pairs, patches: Sequence[Patch], order: Sequence[int], config: PatchConfig
) -> Effects:
    chosen = tuple(patches[i] for i in order[: config.top])
    left = len(patches) >= 2 * len(chosen)
    random = random_groups(patches, chosen, config.random, config.seed) if left else ()
    return activation_patching(model, pairs, [chosen, *random], config.metric, rows=config.rows)


def _paths(model: Model, pairs: Pairs, sender: Patch, config: PatchConfig) -> Effects:
    ends = receivers(model, [sender])
    return path_patching(model, pairs, [sender], [*((one,) for one in ends), ends], config.metric, rows=config.rows)
