"""What the transcoders make of one prompt: the features that fire, what each writes where, and the error left.

    pre = direction . x + bias at the layer a feature reads        a = its activation, from the dictionary's own rule
    mlp_out.l = sum over features that write it of a W_dec + b_dec + skip + error

Features are ordered by layer, then token. With more than `most` of them, those whose a W_dec is smallest are merged
into the errors, and so are those before `from_token`: the sum stays exact and the scores do not flatter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.circuits.attribution.places import Place, blocks, readings
from monosema.circuits.linear.local import LocalModel
from monosema.core.errors import DataError, MismatchError


@dataclass(frozen=True)
class Writing:
    """What features write at one layer; entries starts[t] to starts[t + 1] are token t's, of the features `source`."""

    source: Int64[Tensor, "entry"]
    vectors: Float[Tensor, "entry d_model"]
    starts: tuple[int, ...]


@dataclass(frozen=True)
class Active:
    """The features that fire on a prompt and are in the graph, in order of layer, then token.

    place, index   which of the transcoders, and which of its features
    pre, value     pre-activation and activation
    reads          its direction, at what it reads in its layer; bias is what its pre-activation has besides
    """

    layer: Int64[Tensor, "n"]
    token: Int64[Tensor, "n"]
    place: Int64[Tensor, "n"]
    index: Int64[Tensor, "n"]
    pre: Float[Tensor, "n"]
    value: Float[Tensor, "n"]
    reads: Float[Tensor, "n d_model"]
    bias: Float[Tensor, "n"]
    normed: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.layer)

    def span(self, layer: int) -> tuple[int, int]:
        """Where the features of `layer` begin and end."""
        low, high = torch.searchsorted(self.layer, torch.tensor([layer, layer + 1], device=self.layer.device)).tolist()
        return low, high


@dataclass(frozen=True)
class Replaced:
    """A prompt with transcoders in place of the MLPs.

    written   by layer, what features add there
    b_dec     by layer, what is added there whatever fires
    errors    [layer, token, d_model]
    merged    features left out of the graph, their part now in `errors`
    """

    active: Active
    written: Mapping[int, Writing]
    b_dec: Float[Tensor, "layer d_model"]
    errors: Float[Tensor, "layer token d_model"]
    merged: int


@torch.no_grad()
def replace_mlps(local: LocalModel, places: Sequence[Place], most: int, from_token: int = 0) -> Replaced:
    """`places` at the pass that `local` is of. Raises MismatchError for a feature that reads several layers or writes
    before it reads, DataError for an activation that is not finite."""
    parts = [_fired(local, places, i) for i in range(len(places))]
    active = _joined(local, places, parts)
    n_layers, like = len(local.layers), local.seen["embed"]
    entries = [_entries(active, places, layer, like) for layer in range(n_layers)]
    kept = _largest(active.token >= from_token, entries, most)
    merged = len(active) - int(kept.sum())
    if merged:
        number = torch.where(kept, kept.cumsum(0) - 1, -1)
        entries = [(number[s][inside], v[inside]) for s, v in entries for inside in [kept[s]]]
        active = _kept(active, kept)
    written = {layer: _writing(active, *entries[layer], local.n_tokens) for layer in range(n_layers)}
    b_dec = torch.stack([_constant(places, layer, like) for layer in range(n_layers)])
    errors = torch.stack([_error(local, active, written[layer], b_dec[layer], layer) for layer in range(n_layers)])
    return Replaced(active, written, b_dec, errors, merged)


def _fired(local: LocalModel, places: Sequence[Place], i: int) -> dict[str, Tensor]:
    place, kind = places[i], "mlp_in" if places[i].normed else "resid_pre" if local.parallel else "resid_mid"
    x = torch.cat([local.seen[f"{kind}.{layer}"] for layer in place.reads], 1)
    codes = place.dictionary.encode(x.to(place.dictionary.W_enc))
    if not bool(torch.isfinite(codes.values).all()):
        raise DataError(f"a feature that reads {place.dictionary.reads[0]} has an activation that is not finite")
    directions, biases = readings(place.dictionary)
    parts = blocks(directions[codes.indices].to(x), len(place.reads))
    wants = parts.ne(0).any(2)
    if bool((wants.sum(1) > 1).any()):
        one = int(codes.indices[(wants.sum(1) > 1).nonzero()[0, 0]])
        raise MismatchError(
            f"feature {one} of the dictionary on {', '.join(place.dictionary.reads)} reads several layers: it has no "
            "place between them. A graph needs features that read one layer each"
        )
    block = wants.long().argmax(1)
    reads = parts[torch.arange(len(parts), device=x.device), block]
    token = codes.rows()
    at = blocks(x, len(place.reads))[token, block] if len(token) else reads
    bias = biases[codes.indices].to(x)
    return {
        "layer": torch.tensor(place.reads, device=x.device)[block],
        "token": token,
        "place": torch.full_like(token, i),
        "index": codes.indices,
        "pre": (reads * at).sum(1) + bias,
        "value": codes.values.to(x),
        "reads": reads,
        "bias": bias,
    }


def _joined(local: LocalModel, places: Sequence[Place], parts: Sequence[Mapping[str, Tensor]]) -> Active:
    together = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    order = torch.argsort(together["layer"] * local.n_tokens + together["token"], stable=True)
    return Active(**{name: x[order] for name, x in together.items()}, normed=tuple(place.normed for place in places))


def _kept(active: Active, kept: Tensor) -> Active:
    tensors = {name: x[kept] for name, x in vars(active).items() if isinstance(x, Tensor)}
    return Active(**tensors, normed=active.normed)


def _entries(active: Active, places: Sequence[Place], layer: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """(features that write at `layer`, in no order; what they write)."""
    sources, vectors = [], []
    for i, place in enumerate(places):
        if layer not in place.writes:
            continue
        mine = (active.place == i).nonzero()[:, 0]
        W_dec = blocks(place.dictionary.W_dec, len(place.writes))[:, place.writes.index(layer)]
        rows = W_dec[active.index[mine]].to(like) * active.value[mine, None]
        writes = rows.ne(0).any(1)
        early = writes & (active.layer[mine] > layer)
        if bool(early.any()):
            one = mine[early][0]
            raise MismatchError(
                f"feature {int(active.index[one])} reads layer {int(active.layer[one])} and writes mlp_out.{layer}, "
                "which comes before: a transcoder writes its own layer and later ones"
            )
        sources.append(mine[writes])
        vectors.append(rows[writes])
    return torch.cat(sources), torch.cat(vectors)


def _largest(allowed: Tensor, entries: Sequence[tuple[Tensor, Tensor]], most: int) -> Tensor:
    """Which of the `allowed` features are among the `most` whose writings, at all layers, have the largest norm."""
    if int(allowed.sum()) <= most:
        return allowed
    size = torch.zeros(len(allowed), dtype=torch.float64, device=allowed.device)
    for source, vectors in entries:
        size.index_add_(0, source, vectors.double().square().sum(1))
    kept = torch.zeros_like(allowed)
    kept[size.where(allowed, -1).argsort(descending=True, stable=True)[:most]] = True
    return kept


def _writing(active: Active, source: Tensor, vectors: Tensor, n_tokens: int) -> Writing:
    order = torch.argsort(active.token[source], stable=True)
    counts = torch.bincount(active.token[source], minlength=n_tokens)
    starts = (0, *counts.cumsum(0).tolist())
    return Writing(source[order], vectors[order].contiguous(), starts)


def _constant(places: Sequence[Place], layer: int, like: Tensor) -> Tensor:
    total = like.new_zeros(like.shape[1])
    for place in places:
        if layer in place.writes:
            at = place.writes.index(layer)
            total += place.dictionary.b_dec.unflatten(0, (len(place.writes), -1))[at].to(like)
    return total


def _error(local: LocalModel, active: Active, writing: Writing, b_dec: Tensor, layer: int) -> Tensor:
    made = b_dec.expand(local.n_tokens, -1).clone().index_add_(0, active.token[writing.source], writing.vectors)
    if layer in local.skips:
        made += local.seen[f"mlp_in.{layer}"] @ local.skips[layer]
    return local.seen[f"mlp_out.{layer}"] - made
