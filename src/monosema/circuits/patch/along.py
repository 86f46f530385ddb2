"""Path patching along paths of several edges: sender -> a head's keys -> what that head writes -> ... -> the end.

    delta_1   what the sender writes more, as in path patching of one edge
    delta_2   what the first step, alone in seeing delta_1, writes more; and so on
    effect    of the last step, alone in seeing the last delta; what it changes is passed on by all that follows

Everything else is as on the corrupted prompt. Norms, softmaxes and MLPs of the steps are the model's own, so effects of
several paths need not add up; where a step is linear in what it reads, they do. A path that ends in a step and one that
goes on from there to all that read it are the same, exactly.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.circuits.patch.activation import ROWS, at_the_end
from monosema.circuits.patch.effects import Effects, named
from monosema.circuits.patch.metrics import Metric
from monosema.circuits.patch.pairs import Pairs
from monosema.circuits.patch.paths import Receiver, require_readers, require_sender, sent, shown_to, through
from monosema.circuits.patch.places import Dictionaries, Group, Patch
from monosema.core.config import require
from monosema.models import Model

Step = Receiver | tuple[Receiver, ...]
"""What reads at one stage of a path: one receiver, or several of one layer's heads together."""


@torch.no_grad()
def along(
    model: Model,
    pairs: Pairs,
    sender: Group,
    paths: Sequence[Sequence[Step]],
    metric: Metric = "logit_diff",
    dictionaries: Dictionaries | None = None,
    source: Int64[Tensor, "pair token"] | None = None,
    rows: int = ROWS,
) -> Effects:
    """What `sender` does along each of `paths`, a path being its steps in order. `source` and `rows` as in
    `path_patching`.

    Every step but the last writes: heads of one layer, or one MLP. Raises ConfigError for one that does not, or for a
    path of no steps, SiteError for a step that does not read what the one before writes, and as `path_patching`.
    """
    given = dictionaries or {}
    require_sender(model, pairs, sender, given)
    routes = [tuple((step,) if isinstance(step, Receiver) else tuple(step) for step in path) for path in paths]
    for route in routes:
        _require_path(model, sender, route, pairs.n_tokens)
    clean, corrupted = (at_the_end(model, tokens, pairs, metric) for tokens in (pairs.clean, pairs.corrupted))
    first = sent(model, pairs, sender, given, source)
    deltas: dict[tuple[tuple[Receiver, ...], ...], Tensor] = {(): first}
    found = corrupted.new_empty(len(routes), len(pairs))
    for before in dict.fromkeys(route[:-1] for route in routes):
        for length in range(1, len(before) + 1):
            if before[:length] not in deltas:
                deltas[before[:length]] = _passed_on(model, pairs, before[length - 1], deltas[before[: length - 1]])
        mine = [i for i, route in enumerate(routes) if route[:-1] == before]
        found[mine] = through(model, pairs, deltas[before], [routes[i][-1] for i in mine], metric, rows)
    names = tuple(" > ".join(named(route)) for route in routes)
    return Effects(names, found, clean, corrupted, metric)


def written_by(step: Sequence[Receiver]) -> Patch:
    """Where what `step` makes of what it reads enters the stream. Raises ConfigError when that is not one place."""
    kinds = {"mlp": "mlp_out", "q": "attn_out", "k": "attn_out", "v": "attn_out"}
    places = {f"{kinds.get(one.part, one)}.{one.layer}" for one in step}
    require(
        len(places) == 1 and all(one.part in kinds for one in step),
        f"{named([step])[0]} cannot be passed through: only heads of one layer, or one MLP, write at one place",
    )
    return Patch(places.pop())


def _require_path(model: Model, sender: Group, route: Sequence[Sequence[Receiver]], n_tokens: int) -> None:
    require(len(route) > 0, "a path has no steps: name at least what reads the sender")
    for step in route[:-1]:
        require_readers(model, sender, step, n_tokens)
        sender = [written_by(step)]
    require_readers(model, sender, route[-1], n_tokens)


def _passed_on(
    model: Model, pairs: Pairs, step: Sequence[Receiver], delta: Float[Tensor, "pair token d"]
) -> Float[Tensor, "pair token d"]:
    """What `step` writes more when it alone sees `delta`."""
    site, n = written_by(step).site, len(pairs)
    changed = model.run(pairs.corrupted.repeat(2, 1), [site], shown_to(model, [step], delta, n))[site][:n]
    return changed - model.run(pairs.corrupted, [site])[site]
