"""Activation patching: the corrupted prompt runs, with what the clean one had at some places.

Many groups of places go through one forward pass, each with its own copy of the pairs: rows are [group, pair].
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.circuits.patch.effects import Effects, named
from monosema.circuits.patch.metrics import Metric, measure
from monosema.circuits.patch.pairs import Pairs
from monosema.circuits.patch.places import Dictionaries, Group, Patch, require_places
from monosema.dictionaries import Dictionary
from monosema.models import Edit, Model
from monosema.models.losses import require_next_token

ROWS = 64
"""Prompts in a forward pass."""

Seen = Mapping[str, Tensor]
"""Activations [pair, ...] by site."""


@torch.no_grad()
def activation_patching(
    model: Model,
    pairs: Pairs,
    groups: Sequence[Group],
    metric: Metric = "logit_diff",
    dictionaries: Dictionaries | None = None,
    source: Int64[Tensor, "pair token"] | None = None,
    rows: int = ROWS,
) -> Effects:
    """What each group of places does, all of its places patched together.

    source    the prompts whose activations are carried over; the clean ones if None. Baselines stay those of the pairs
    rows      prompts in a forward pass, at most, but at least one group's
    Raises as `require_places` does, DataError when the metric does not tell the prompts apart, and what `Model.run`
    raises of tokens.
    """
    require_next_token(model, "patching")
    given = dictionaries or {}
    require_places(model, groups, pairs.n_tokens, given)
    clean, corrupted = (at_the_end(model, tokens, pairs, metric) for tokens in (pairs.clean, pairs.corrupted))
    carried = changes(model, pairs, groups, given, pairs.clean if source is None else source)
    found, step = [corrupted.new_empty(0, len(pairs))], max(1, rows // len(pairs))
    for start in range(0, len(groups), step):
        part = groups[start : start + step]
        tokens = pairs.corrupted.repeat(len(part), 1)
        logits = model.run(tokens, ["logits"], _edits(part, carried, len(pairs)))["logits"][:, -1]
        found.append(measure(metric, logits.unflatten(0, (-1, len(pairs))), pairs).cpu())
    return Effects(named(groups), torch.cat(found), clean, corrupted, metric)


def at_the_end(
    model: Model, tokens: Int64[Tensor, "pair token"], pairs: Pairs, metric: Metric
) -> Float[Tensor, "pair"]:
    """The metric on prompts as they are."""
    return measure(metric, model.run(tokens, ["logits"])["logits"][:, -1], pairs).cpu()


class Carried:
    """What is carried over at each place: the source's activation, or a feature's vector to be added."""

    def __init__(self, source: Seen, added: Mapping[tuple[str, int], Tensor]) -> None:
        self.source, self.added = source, added

    def put(self, patch: Patch, x: Tensor) -> None:
        """Change `x` [pair, ...], an activation of the patch's site, in place."""
        if patch.feature is None:
            x[patch.cut(x)] = self.source[patch.site][patch.cut(x)]
        else:
            x[patch.cut(x)] += self.added[patch.site, patch.feature][patch.cut(x)]


def changes(
    model: Model, pairs: Pairs, groups: Sequence[Group], dictionaries: Dictionaries, source: Int64[Tensor, "pair token"]
) -> Carried:
    """What `groups` carry over from `source` to the corrupted prompts."""
    patches = {patch for group in groups for patch in group}
    sites = sorted({patch.site for patch in patches})
    features = {(patch.site, patch.feature) for patch in patches if patch.feature is not None}
    read = sorted({dictionaries[site].reads[0] for site, _ in features})
    there = model.run(source, sorted({*sites, *read}))
    here = model.run(pairs.corrupted, read)
    added = {(site, i): _difference(dictionaries[site], i, there, here) for site, i in features}
    return Carried(there, added)


def _difference(dictionary: Dictionary, feature: int, there: Seen, here: Seen) -> Float[Tensor, "pair token *heads d"]:
    """What more the feature writes there than here, in the shape of the site that it writes."""
    site, written = dictionary.reads[0], there[dictionary.writes[0]]
    shape = there[site].shape[:2]
    values = []
    for seen in (there, here):
        codes = dictionary.encode(seen[site].reshape(-1, dictionary.d_in).to(dictionary.W_enc))
        mine = codes.indices == feature
        column = codes.values.new_zeros(len(codes))
        column[codes.rows()[mine]] = codes.values[mine]
        values.append(column.view(shape))
    added = (values[0] - values[1])[..., None] * dictionary.W_dec[feature].detach()
    return added.view(written.shape).to(written)


def _edits(groups: Sequence[Group], carried: Carried, n_pairs: int) -> list[Edit]:
    by_site: dict[str, list[tuple[int, Patch]]] = {}
    for i, group in enumerate(groups):
        for patch in group:
            by_site.setdefault(patch.site, []).append((i, patch))
    return [Edit(site, putting(here, carried, n_pairs)) for site, here in by_site.items()]


def putting(here: Sequence[tuple[int, Patch]], carried: Carried, n_pairs: int) -> Callable[[Tensor], Tensor]:
    """The edit of a site: of rows [group, pair], each of `here` names a group and what is put there."""

    def apply(x: Tensor) -> Tensor:
        rows = x.unflatten(0, (-1, n_pairs))
        for i, patch in here:
            carried.put(patch, rows[i])
        return x

    return apply
