"""What the effects ask of a model, a dictionary and blocks of tokens, and where they are defined."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool
from torch import Tensor

from monosema.core.errors import SiteError
from monosema.core.sites import parse
from monosema.dictionaries.codes import SparseCodes
from monosema.features.logits import why_undefined


@runtime_checkable
class Model(Protocol):
    """A language model whose sites can be read and edited; `monosema.models.Model` is one."""

    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def n_layers(self) -> int: ...
    @property
    def n_context(self) -> int: ...
    @property
    def d_vocab(self) -> int: ...
    @property
    def device(self) -> torch.device: ...
    def width(self, site: str) -> int: ...
    def run(self, tokens: Tensor, read: Sequence[str], edits: Sequence[Any] = ()) -> dict[str, Tensor]: ...
    def unembed(self, resid: Tensor) -> Tensor: ...
    def logit_weights(self) -> Tensor: ...


@runtime_checkable
class Dictionary(Protocol):
    """A dictionary of any geometry; `monosema.dictionaries.Dictionary` is one."""

    @property
    def reads(self) -> tuple[str, ...]: ...
    @property
    def writes(self) -> tuple[str, ...]: ...
    @property
    def widths_out(self) -> tuple[int, ...]: ...
    @property
    def d_in(self) -> int: ...
    @property
    def n_features(self) -> int: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def W_dec(self) -> Tensor: ...  # noqa: N802

    def encode(self, x: Tensor) -> SparseCodes: ...


@runtime_checkable
class Blocks(Protocol):
    """Token blocks; `monosema.corpus.blocks.TokenBlocks` are such."""

    @property
    def tokens(self) -> Tensor: ...
    @property
    def documents(self) -> Tensor: ...
    @property
    def usable(self) -> Tensor: ...


def counted_tokens(blocks: Blocks) -> Bool[Tensor, "batch seq"]:
    """The tokens whose loss counts: usable, and foretold from a usable token of the same document. The
    same predictions as a scorecard's, before outliers."""
    counted = torch.zeros_like(blocks.usable)
    same = blocks.documents[:, 1:] == blocks.documents[:, :-1]
    counted[:, 1:] = blocks.usable[:, 1:] & blocks.usable[:, :-1] & same
    return counted


def why_no_loss_effect(writes: tuple[str, ...]) -> str:
    """Why `total` and `attr` are not defined for features that write `writes`, in words; '' when they are."""
    for site in writes:
        if _kind(site) in ("ln_final", "logits"):
            return f"{site} comes after the last residual stream, where effects on the loss are read"
    return ""


def why_no_direct_effect(writes: tuple[str, ...]) -> str:
    """Why `direct` is not defined for features that write `writes`, in words; '' when it is."""
    return why_undefined(writes)


def require_loss_effect(writes: tuple[str, ...]) -> None:
    """Raise SiteError where `total` and `attr` are not defined."""
    if reason := why_no_loss_effect(writes):
        raise SiteError(f"no effect on the loss is defined: {reason}. Give a dictionary that writes an earlier site")


def require_direct_effect(writes: tuple[str, ...]) -> None:
    """Raise SiteError where `direct` is not defined."""
    if reason := why_no_direct_effect(writes):
        raise SiteError(f"no direct effect is defined: {reason}. Use `total`")


def first_layer(writes: tuple[str, ...], n_layers: int) -> int:
    """The first layer that computes anything else when `writes` are changed; `n_layers` when none does,
    -1 when already the embedding or a place that is not known does."""
    return min((_first(site, n_layers) for site in writes), default=n_layers)


def _first(site: str, n_layers: int) -> int:
    try:
        parsed = parse(site)
    except SiteError:
        return -1
    if parsed.layer is None:
        return -1 if parsed.kind == "embed" else n_layers
    return parsed.layer + 1 if parsed.kind == "resid_post" else parsed.layer


def _kind(site: str) -> str:
    try:
        return parse(site).kind
    except SiteError:
        return ""
