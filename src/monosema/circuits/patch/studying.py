"""Every place of the kinds asked for, patched, estimated and controlled."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from monosema.circuits.patch.activation import activation_patching, at_the_end
from monosema.circuits.patch.along import along, written_by
from monosema.circuits.patch.attribution import attribution_patching
from monosema.circuits.patch.controls import random_groups, unrelated_prompts
from monosema.circuits.patch.effects import Agreement, Effects, agreement, correlation
from monosema.circuits.patch.features import feature_places
from monosema.circuits.patch.pairs import Pairs
from monosema.circuits.patch.paths import Receiver, path_patching, receivers
from monosema.circuits.patch.places import Dictionaries, Patch, places
from monosema.circuits.patch.settings import PatchConfig
from monosema.dictionaries import Dictionary
from monosema.models import Model
from monosema.models.losses import require_next_token


@dataclass(frozen=True)
class Kind:
    """The places of one kind.

    order      of all, the strongest first
    inner      the same without those at the last position alone, through which everything must pass in the end
    together   the strongest `top` of `inner` in one group, then random groups of as many (none where too few are left)
    """

    name: str
    patches: tuple[Patch, ...]
    exact: Effects
    estimated: Effects
    unrelated: Effects
    order: tuple[int, ...]
    inner: tuple[int, ...]
    together: Effects

    @property
    def strongest(self) -> Patch:
        return self.patches[self.inner[0]]


@dataclass(frozen=True)
class Ways:
    """By which ways a sender acts.

    readers   through each reader, all of them together last
    onward    through the strongest that writes, `reader`, to each that reads that; None where none writes
    each beside the same when the sender takes over an unrelated prompt's activations
    """

    sender: Patch
    readers: Effects
    readers_unrelated: Effects
    reader: Receiver | None
    onward: Effects | None
    onward_unrelated: Effects | None


@dataclass(frozen=True)
class PatchStudy:
    """answered: of each pair, whether the clean prompt's answer has a higher logit than the wrong one, on the clean
    prompt and on the corrupted. agreement: of estimates with effects over all kinds; unrelated_agreement: the
    correlation with the effects of estimates for an unrelated prompt. ways: of the strongest head of the first kind of
    heads."""

    pairs: Pairs
    answered: tuple[Bool[Tensor, "pair"], Bool[Tensor, "pair"]]
    kinds: tuple[Kind, ...]
    agreement: Agreement
    unrelated_agreement: float
    ways: Ways | None
    config: PatchConfig


@torch.no_grad()
def study(
    model: Model, pairs: Pairs, config: PatchConfig, bos: int | None = None, dictionary: Dictionary | None = None
) -> PatchStudy:
    """Measure. `bos`: stays in unrelated prompts; features of `dictionary` are a kind of places too. Raises as
    `activation_patching` and `feature_places` do."""
    require_next_token(model, "patching")
    strange = unrelated_prompts(model, pairs, bos, config.seed)
    every = [(name, places(model, (name,), pairs.n_tokens)) for name in config.sites]
    given = {} if dictionary is None else {dictionary.writes[0]: dictionary}
    if dictionary is not None:
        every.append(("features", feature_places(model, pairs, dictionary, config.features)))
    groups = [(patch,) for _, patches in every for patch in patches]
    exact = activation_patching(model, pairs, groups, config.metric, given, rows=config.rows)
    unrelated = activation_patching(model, pairs, groups, config.metric, given, strange, config.rows)
    estimated = attribution_patching(model, pairs, groups, config.metric, given)
    elsewhere = attribution_patching(model, pairs, groups, config.metric, given, strange)
    kinds, start = [], 0
    for name, patches in every:
        part = slice(start, start := start + len(patches))
        own, guess, other = (_part(effects, part) for effects in (exact, estimated, unrelated))
        order = tuple(own.share.abs().argsort(descending=True, stable=True).tolist())
        inner = tuple(i for i in order if patches[i].position != pairs.n_tokens - 1)
        together = _together(model, pairs, [patches[i] for i in inner], config, given)
        kinds.append(Kind(name, patches, own, guess, other, order, inner, together))
    sender = next((kind.strongest for kind in kinds if kind.strongest.site.startswith("attn_z.")), None)
    ahead = tuple(at_the_end(model, tokens, pairs, "logit_diff") > 0 for tokens in (pairs.clean, pairs.corrupted))
    return PatchStudy(
        pairs,
        (ahead[0], ahead[1]),
        tuple(kinds),
        agreement(estimated, exact, config.shown),
        correlation(elsewhere.share, exact.share),
        None if sender is None else _ways(model, pairs, sender, strange, config),
        config,
    )


def _part(effects: Effects, rows: slice) -> Effects:
    return Effects(effects.names[rows], effects.values[rows], effects.clean, effects.corrupted, effects.metric)


def _together(
    model: Model, pairs: Pairs, patches: Sequence[Patch], config: PatchConfig, given: Dictionaries
) -> Effects:
    """`patches`: the strongest first."""
    chosen = tuple(patches[: config.top])
    left = len(patches) >= 2 * len(chosen)
    random = random_groups(patches, chosen, config.random, config.seed) if left else ()
    return activation_patching(model, pairs, [chosen, *random], config.metric, given, rows=config.rows)


def _ways(model: Model, pairs: Pairs, sender: Patch, strange: Tensor, config: PatchConfig) -> Ways:
    ends = receivers(model, [sender])
    own, other = (
        path_patching(
            model, pairs, [sender], [*((one,) for one in ends), ends], config.metric, source=source, rows=config.rows
        )
        for source in (None, strange)
    )
    writing = [i for i, one in enumerate(ends) if one.part != "end"]
    if not writing:
        return Ways(sender, own, other, None, None, None)
    reader = ends[max(writing, key=lambda i: abs(float(own.share[i])))]
    paths = [[reader, one] for one in receivers(model, [written_by([reader])])]
    onward = [
        along(model, pairs, [sender], paths, config.metric, source=source, rows=config.rows)
        for source in (None, strange)
    ]
    return Ways(sender, own, other, reader, onward[0], onward[1])
