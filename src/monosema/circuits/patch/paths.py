"""Path patching (Goldowsky-Dill et al. 2023): what a sender writes is patched only in what chosen receivers read.

    sender     places whose patch changes what is written to the residual stream, by a vector delta
    receivers  the q, k or v of heads, MLPs, the unembedding: each reads stream + delta, all others read the stream

Done in one forward pass of twice the prompts. Beside every prompt runs its shadow, whose stream is set to the prompt's
own plus delta before each layer that a receiver is in; what the receiver computes there is put in the place of what the
prompt's own would. So norms, rotary embeddings and caps are the model's own, what a receiver changes is passed on by
all that follows, and delta itself stays on the edges that were chosen. All edges together are activation patching.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.circuits.patch.activation import ROWS, at_the_end, changes, putting
from monosema.circuits.patch.effects import Effects
from monosema.circuits.patch.metrics import Metric, measure
from monosema.circuits.patch.pairs import Pairs
from monosema.circuits.patch.places import Dictionaries, Group, Index, Patch, require_places
from monosema.core.config import require
from monosema.core.errors import ConfigError, SiteError
from monosema.core.sites import parse
from monosema.models import Edit, Model
from monosema.models.losses import require_next_token

WRITES = {"attn": "attn_out", "mlp": "mlp_out", "embed": "resid_pre.0"}
"""Where what a kind of site changes enters the stream, by the beginning of its name."""

ENTERS = {"resid_pre": 0, "attn_out": 1, "resid_mid": 1, "mlp_out": 2, "resid_post": 2}
"""Its place within a layer: before the attention, between attention and MLP, after both."""


@dataclass(frozen=True)
class Receiver:
    """What reads the stream: the q, k or v of a head of a layer (of all, where None; k and v count keys), a layer's
    mlp, or the end: the final norm and the unembedding. `position`: only there."""

    part: Literal["q", "k", "v", "mlp", "end"]
    layer: int = -1
    head: int | None = None
    position: int | None = None

    def __str__(self) -> str:
        head = "" if self.head is None else f".{self.head}"
        where = "the unembedding" if self.part == "end" else f"{self.part} {self.layer}{head}"
        return where if self.position is None else f"{where} at {self.position}"

    @property
    def site(self) -> str:
        """What it computes from the stream."""
        return {"mlp": f"mlp_in.{self.layer}", "end": "ln_final"}.get(self.part, f"attn_{self.part}.{self.layer}")

    def cut(self) -> tuple[Index, ...]:
        """Where in an activation [pair, ...] of its site."""
        position: Index = slice(None) if self.position is None else self.position
        head: Index = slice(None) if self.head is None else self.head
        return (slice(None), position, head) if self.part in "qkv" else (slice(None), position)


def receivers(model: Model, sender: Group) -> tuple[Receiver, ...]:
    """All that read what `sender` writes: every edge from it, each head's q, k and v apart."""
    at = _entry(model, sender)
    parallel = "resid_mid.0" not in model.sites()
    found: list[Receiver] = []
    for layer in range(model.n_layers):
        if at <= (layer, 0):
            counts = {"q": model.n_heads, "k": model.n_kv_heads, "v": model.n_kv_heads}
            found += [Receiver(part, layer, head) for part in ("q", "k", "v") for head in range(counts[part])]
        if at <= (layer, 0 if parallel else 1):
            found.append(Receiver("mlp", layer))
    return (*found, Receiver("end"))


@torch.no_grad()
def path_patching(
    model: Model,
    pairs: Pairs,
    sender: Group,
    routes: Sequence[Sequence[Receiver]],
    metric: Metric = "logit_diff",
    dictionaries: Dictionaries | None = None,
    source: Int64[Tensor, "pair token"] | None = None,
    rows: int = ROWS,
) -> Effects:
    """What `sender` does through each of `routes`, a route being the receivers that it goes to.

    source  the prompts whose activations the sender takes over; the clean ones if None
    rows    prompts in a forward pass, shadows not counted, at most, but at least one route's
    Raises ConfigError for a family whose layers do not simply add to the stream and for senders that enter it at
    different places, SiteError for a receiver that does not read what the sender writes, and as `activation_patching`.
    """
    given = dictionaries or {}
    require_sender(model, pairs, sender, given)
    for route in routes:
        require_readers(model, sender, route, pairs.n_tokens)
    clean, corrupted = (at_the_end(model, tokens, pairs, metric) for tokens in (pairs.clean, pairs.corrupted))
    delta = sent(model, pairs, sender, given, source)
    values = through(model, pairs, delta, routes, metric, rows)
    names = tuple(" + ".join(map(str, route)) or "nothing" for route in routes)
    return Effects(names, values, clean, corrupted, metric)


def through(
    model: Model, pairs: Pairs, delta: Tensor, routes: Sequence[Sequence[Receiver]], metric: Metric, rows: int
) -> Float[Tensor, "route pair"]:
    """The metric when only the receivers of each route see `delta` [pair, token, d_model] in the stream."""
    found, step = [torch.empty(0, len(pairs), dtype=torch.float64)], max(1, rows // len(pairs))
    for start in range(0, len(routes), step):
        part = routes[start : start + step]
        tokens = pairs.corrupted.repeat(2 * len(part), 1)
        logits = model.run(tokens, ["logits"], shown_to(model, part, delta, len(pairs)))["logits"]
        own = logits[: len(tokens) // 2, -1].unflatten(0, (-1, len(pairs)))
        found.append(measure(metric, own, pairs).cpu())
    return torch.cat(found)


def require_sender(model: Model, pairs: Pairs, sender: Group, dictionaries: Dictionaries) -> None:
    """Raise for a model without next tokens or a place that is not there."""
    require_next_token(model, "patching")
    require_places(model, [sender], pairs.n_tokens, dictionaries)


def require_readers(model: Model, sender: Group, route: Sequence[Receiver], n_tokens: int) -> None:
    """Raise SiteError unless all of `route` read what `sender` writes."""
    reached = {one.site for one in receivers(model, sender)}
    for one in route:
        _require_receiver(model, one, reached, n_tokens)


def _entry(model: Model, sender: Group) -> tuple[int, int]:
    """(layer, place within it) where what the sender writes enters the stream."""
    family = model.family
    if family.mid_carries or family.out_norm or family.encoder is not None or family.mixer:
        raise ConfigError(
            f"{model.name}: paths are patched where layers of attention and MLP add to one stream, which this family's "
            "do not: patch activations"
        )
    entries = {_written_at(patch) for patch in sender}
    require(len(entries) == 1, f"the sender is {len(entries)} parts ({', '.join(sorted(entries))}): give places of one")
    [site] = entries
    found = parse(site)
    if found.kind not in ENTERS:
        raise SiteError(f"what {site} changes does not enter the residual stream: a sender must")
    return found.layer or 0, ENTERS[found.kind]


def _written_at(patch: Patch) -> str:
    """The site at which a change there is first in the stream."""
    site = parse(patch.site)
    kind = WRITES.get(site.kind.partition("_")[0], site.kind)
    return kind if site.layer is None else f"{kind}.{site.layer}"


def _require_receiver(model: Model, one: Receiver, reached: set[str], n_tokens: int) -> None:
    heads = {"q": model.n_heads, "k": model.n_kv_heads, "v": model.n_kv_heads}.get(one.part, 0)
    if one.site not in reached:
        raise SiteError(f"{one} does not read what the sender writes: it comes before, or is not in {model.name}")
    if one.head is not None and not 0 <= one.head < heads:
        raise SiteError(f"there is no head {one.head} at {one.site}: it has {heads}")
    if one.position is not None and not 0 <= one.position < n_tokens:
        raise SiteError(f"{one}: there is no position {one.position}, the prompts have 0 to {n_tokens - 1}")


def sent(
    model: Model,
    pairs: Pairs,
    sender: Group,
    dictionaries: Dictionaries,
    source: Int64[Tensor, "pair token"] | None = None,
) -> Float[Tensor, "pair token d"]:
    """What more is in the stream, once it has entered, when `sender` takes over the activations of `source`."""
    carried = changes(model, pairs, [sender], dictionaries, pairs.clean if source is None else source)
    site = _written_at(sender[0])
    edits = [
        Edit(name, putting([(0, patch) for patch in sender if patch.site == name], carried, len(pairs)))
        for name in sorted({patch.site for patch in sender})
    ]
    after, before = (model.run(pairs.corrupted, [site], changed)[site] for changed in (edits, []))
    return after - before


def shown_to(model: Model, routes: Sequence[Sequence[Receiver]], delta: Tensor, n_pairs: int) -> list[Edit]:
    """The edits by which the receivers of each route see `delta` in the stream. Rows: [own or shadow, route, pair]."""
    halves = (2, len(routes), n_pairs)
    by_site: dict[str, list[tuple[int, Receiver]]] = {}
    for i, route in enumerate(routes):
        for one in route:
            by_site.setdefault(one.site, []).append((i, one))
    streams = {_stream(model, here[0][1]) for here in by_site.values()}
    shadows = [Edit(site, _shadowing(delta, halves)) for site in sorted(streams)]
    return shadows + [Edit(site, _receiving(here, halves)) for site, here in by_site.items()]


def _stream(model: Model, one: Receiver) -> str:
    """Where the receiver reads the stream."""
    if one.part == "end":
        return f"resid_post.{model.n_layers - 1}"
    between = one.part == "mlp" and "resid_mid.0" in model.sites()
    return f"resid_{'mid' if between else 'pre'}.{one.layer}"


def _shadowing(delta: Tensor, halves: tuple[int, int, int]) -> Callable[[Tensor], Tensor]:
    def apply(x: Tensor) -> Tensor:
        own, shadow = x.unflatten(0, halves)
        shadow.copy_(own + delta)
        return x

    return apply


def _receiving(here: Sequence[tuple[int, Receiver]], halves: tuple[int, int, int]) -> Callable[[Tensor], Tensor]:
    def apply(x: Tensor) -> Tensor:
        own, shadow = x.unflatten(0, halves)
        for i, one in here:
            own[i][one.cut()] = shadow[i][one.cut()]
        return x

    return apply
