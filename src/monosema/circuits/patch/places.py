"""What is patched: an activation of one prompt's run, carried to the same place of another's.

Patch("resid_post.3")                        every position
Patch("resid_post.3", position=4)            one
Patch("attn_z.2", head=1)                    a head, at every position (what it writes: all that it does)
Patch("attn_pattern.2", position=4, head=1)  where a head looks from position 4
Patch("mlp_out.5", feature=812)              a dictionary's feature, by the vector that it writes
Patch("mlp_out.5", position=4, feature=812)  the same at one position
Patch("attn_z.2", head=1, feature=812)       of what a feature of attn_z writes, the part of one head
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from monosema.core.config import require
from monosema.core.errors import MismatchError, SiteError
from monosema.core.sites import LAYER_KINDS, parse
from monosema.dictionaries import Dictionary
from monosema.models import Model

BY_HEAD = ("attn_q", "attn_k", "attn_v", "attn_z", "attn_pattern")
"""Kinds of site with an axis of heads; those of k and v are as many as the model has keys."""

KINDS = {"heads": "attn_z", "residual": "resid_post"}
"""Short names of kinds."""

Index = int | slice
Dictionaries = Mapping[str, Dictionary]
"""By the site that each writes."""


@dataclass(frozen=True)
class Patch:
    """A place; None: all of them. `head` counts keys at attn_k and attn_v, queries elsewhere."""

    site: str
    position: int | None = None
    head: int | None = None
    feature: int | None = None

    def __str__(self) -> str:
        feature = "" if self.feature is None else f" feature {self.feature}"
        head = "" if self.head is None else f" head {self.head}"
        position = "" if self.position is None else f" at {self.position}"
        return f"{self.site}{head}{feature}{position}"

    def cut(self, x: Float[Tensor, "*shape"]) -> tuple[Index, ...]:
        """Where the place is in an activation [pair, ...] of its site."""
        position: Index = slice(None) if self.position is None else self.position
        head: Index = slice(None) if self.head is None else self.head
        if parse(self.site).kind == "attn_pattern":
            return slice(None), head, position
        return (slice(None), position, head) if x.ndim == 4 else (slice(None), position)


Group = Sequence[Patch]


def require_places(model: Model, groups: Sequence[Group], n_tokens: int, dictionaries: Dictionaries) -> None:
    """Raise SiteError or MismatchError for a place that is not there."""
    for patch in {patch for group in groups for patch in group}:
        site = model.resolve(patch.site)
        kind = parse(site).kind
        require(site == patch.site, f"write '{site}' for '{patch.site}' in a patch")
        require(site != "logits", "the logits are what is measured: patch what comes before them")
        if patch.position is not None and not 0 <= patch.position < n_tokens:
            raise SiteError(f"{patch}: there is no position {patch.position}, the prompts have 0 to {n_tokens - 1}")
        if patch.head is not None:
            heads = n_heads(model, kind)
            if not 0 <= patch.head < heads:
                has = f"{site} has heads 0 to {heads - 1}" if heads else f"{site} has none"
                raise SiteError(f"{patch}: there is no head {patch.head}, {has}")
        if patch.feature is not None:
            _require_feature(patch, dictionaries)


def _require_feature(patch: Patch, dictionaries: Dictionaries) -> None:
    if patch.site not in dictionaries:
        given = ", ".join(dictionaries) or "none"
        raise MismatchError(f"{patch}: no dictionary that writes {patch.site} was given (given: {given})")
    one = dictionaries[patch.site]
    if one.writes != (patch.site,) or len(one.reads) != 1:
        raise MismatchError(f"{patch}: its dictionary must read one site and write {patch.site} alone")
    if not 0 <= (patch.feature or 0) < one.n_features:
        raise SiteError(f"{patch}: there is no such feature, its dictionary has 0 to {one.n_features - 1}")


def n_heads(model: Model, kind: str) -> int:
    """Heads at a site of this kind; 0 where there is no such axis."""
    if kind not in BY_HEAD:
        return 0
    return model.n_kv_heads if kind in ("attn_k", "attn_v") else model.n_heads


def places(model: Model, kinds: Sequence[str], n_tokens: int) -> tuple[Patch, ...]:
    """Every place of `kinds`: a kind (`resid_post`, `mlp_out`, `heads`) in every layer, or a site (`resid_post.3`); by
    position, or by head where the site has heads. Raises SiteError for one that this model has not."""
    return tuple(patch for kind in kinds for patch in _places(model, KINDS.get(kind, kind), n_tokens))


def _places(model: Model, kind: str, n_tokens: int) -> Iterator[Patch]:
    sites = [f"{kind}.{layer}" for layer in range(model.n_layers)]
    if not set(sites) <= set(model.sites()):
        if kind in LAYER_KINDS:
            there = dict.fromkeys(site.rpartition(".")[0] for site in model.sites() if site.endswith(".0"))
            raise SiteError(f"{model.name} has no {kind} in its layers: take sites of {', '.join(there)}")
        sites = [model.resolve(kind)]
    for site in sites:
        heads = n_heads(model, parse(site).kind)
        if heads:
            yield from (Patch(site, head=head) for head in range(heads))
        else:
            yield from (Patch(site, position) for position in range(n_tokens))
