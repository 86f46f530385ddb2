"""A language model with addresses: what can be read, what can be changed, what it then predicts.

    model.run(tokens, read=["resid_post.2", "logits"], edits=[Edit("attn_out.1", torch.zeros_like)])

The model is transformers' own, hooked where it stands; its weights are never folded or moved.

    site                     shape
    embed                    [batch, seq, d_model]            what the embedding module gives for the tokens, scaled
                                                              where the family scales (Gemma), without positions
    resid_pre|mid|post.i     [batch, seq, d_model]            the residual stream around layer i; GPT-2's resid_pre.0
                                                              is embed plus the position embedding
    attn_out.i mlp_out.i     [batch, seq, d_model]            what is added to the residual stream
    attn_q.i attn_z.i        [batch, seq, head, d_head]       q after rotary embedding
    attn_k.i attn_v.i        [batch, seq, n_kv_heads, d_head] k after rotary; before they are repeated for the heads
    attn_pattern.i           [batch, head, query, key]        rows sum to one
    mlp_in.i                 [batch, seq, d_model]            what the MLP reads, after its norm
    mlp_act.i                [batch, seq, d_mlp]              what the last matrix of the MLP reads: the activations,
                                                              times the gated ones where the MLP is gated
    ln_final                 [batch, seq, d_model]            the output of the final norm
    logits                   [batch, seq, d_vocab]            after the soft cap where there is one
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.core import fingerprints
from monosema.core.errors import DataError, SiteError
from monosema.models import addresses, norms
from monosema.models.families import Family, Place
from monosema.models.passes import Plan, forward

Attention = Literal["eager", "fused"]


@dataclass(frozen=True)
class Edit:
    """A change to make at a site during a pass: `apply` takes the activation (a copy, so that it may
    work in place) and returns one of the same shape, type and device."""

    site: str
    apply: Callable[[Tensor], Tensor]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A causal language model. Made by `load` or `wrap`, which have verified it.

    module       the transformers model, where it stands
    places       every site and where it is, in order of computation
    widths       the numbers per token at every site, all heads together; attn_pattern has none
    n_kv_heads   heads that have keys and values of their own (n_heads, unless queries share them)
    n_context    the longest sequence it was made for
    """

    module: torch.nn.Module
    name: str
    family: Family
    places: Mapping[str, Place]
    widths: Mapping[str, int]
    n_layers: int
    d_model: int
    n_heads: int
    n_kv_heads: int
    d_head: int
    d_vocab: int
    n_context: int

    def __repr__(self) -> str:
        sizes = f"{self.n_layers} layers, d_model {self.d_model}, {self.n_heads} heads, d_vocab {self.d_vocab}"
        return f"Model({self.name!r}: {type(self.module).__name__}, {sizes}, {str(self.dtype).removeprefix('torch.')})"

    @property
    def device(self) -> torch.device:
        """Where the token embedding is."""
        return self.module.get_submodule(self.family.embed).get_parameter("weight").device

    @property
    def dtype(self) -> torch.dtype:
        """The type of the weights, and so of the activations."""
        return self.module.get_submodule(self.family.embed).get_parameter("weight").dtype

    @property
    def fingerprint(self) -> str:
        """Of the configuration and every bit of every weight; the same wherever the model is loaded in
        the same type. Computed when asked for: about a second per gigabyte of weights, so keep it."""
        config: Any = self.module.config
        settings = {k: v for k, v in config.to_dict().items() if k not in _PASSING_SETTINGS}
        weights = fingerprints.of_tensors(dict(self.module.named_parameters()))
        return fingerprints.of_bytes([repr(_sorted(settings)).encode(), weights.encode()])

    def sites(self) -> tuple[str, ...]:
        """Every site of this model, in order of computation."""
        return tuple(self.places)

    def width(self, site: str) -> int:
        """Numbers per token at `site`: d_model, heads * d_head, d_mlp or d_vocab.

        Raises SiteError for an unknown site and for attn_pattern, which is as wide as the sequence.
        """
        name = self.resolve(site)
        if name not in self.widths:
            raise SiteError(f"{name} has no width: it is [batch, head, query, key], as wide as the sequence is long")
        return self.widths[name]

    def resolve(self, text: str) -> str:
        """Our name of the site that `text` means: ours, TransformerLens's (`blocks.3.hook_resid_post`),
        another peer's, or a module path (`transformer.h.3.mlp:out`, `:in`; `:out` if neither is said).

        Raises SiteError listing what this model has.
        """
        return addresses.resolve(text, self.places, self.n_layers)

    def run(
        self,
        tokens: Int64[Tensor, "batch seq"],
        read: Sequence[str] = (),
        edits: Sequence[Edit] = (),
        stop_at: str | None = None,
        attention: Attention = "eager",
    ) -> dict[str, Tensor]:
        """The activations at the sites in `read`, under the names they were asked for by.

        One forward pass, every token attending to itself and all before it. Edits at a site are made
        in their order, then the site is read. The pass ends at the last site that is read or edited,
        or at `stop_at`, which must not be before it. Reads are the pass's own tensors, not copies.
        Gradients are tracked as the caller's mode and the weights' `requires_grad` say; `load` turns
        the latter off. Attention is `eager`, by which the same pass gives the same bits whatever is read,
        or `fused`: faster, and the same to rounding; sites inside attention are still computed eagerly,
        and so is all of a model that caps its attention scores (Gemma 2).
        Raises SiteError (no such site; beyond `stop_at`), DataError (tokens that this model cannot take)
        and MismatchError (an edit that returns another shape, type or device).
        """
        asked = {name: self.resolve(name) for name in ([read] if isinstance(read, str) else read)}
        changes: dict[str, list[Callable[[Tensor], Tensor]]] = {}
        for edit in edits:
            changes.setdefault(self.resolve(edit.site), []).append(edit.apply)
        last = self._last({*asked.values(), *changes}, stop_at)
        if last is None:
            return {}
        plan = Plan(frozenset(asked.values()), changes, last, fused=attention == "fused" and self._can_fuse())
        found = forward(self.module, self.places, self._accepted(tokens), plan)
        return {name: found[site] for name, site in asked.items()}

    def unembed(self, resid: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_vocab"]:
        """The logits for a residual stream after the last layer: final norm, unembedding and soft cap."""
        normed = self.module.get_submodule(self.family.final_norm)(resid)
        logits = self.module.get_submodule(self.family.unembed)(normed)
        cap = getattr(self.module.config, self.family.softcap) if self.family.softcap else None
        return logits if cap is None else torch.tanh(logits / cap) * cap

    def logit_weights(self) -> Float[Tensor, "d_model d_vocab"]:
        """The unembedding with the final norm folded in, float32, on the model's device: a copy.

        For a residual stream r with norm scale s(r) (its deviation, or root mean square),
        unembed(r) = r @ logit_weights() / s(r) + constant, before the soft cap where there is one. So
        `direction @ logit_weights()` is the direct effect of a direction on the logits, up to s > 0.
        The norm's gain multiplies the rows; LayerNorm's subtraction of the mean is projected out.
        """
        norm = norms.recognise(self.module.get_submodule(self.family.final_norm), self.d_model)
        W_U = self.module.get_submodule(self.family.unembed).get_parameter("weight").detach().float().T
        folded = norm.gain[:, None] * W_U
        return folded - folded.mean(0, keepdim=True) if norm.centred else folded

    def _can_fuse(self) -> bool:
        cap = self.family.attn_softcap
        return not (cap and getattr(self.module.config, cap, None))

    def _last(self, sites: set[str], stop_at: str | None) -> str | None:
        order = list(self.places)
        last = max(sites, key=order.index, default=None)
        if stop_at is None:
            return last
        stop = self.resolve(stop_at)
        if last is not None and order.index(last) > order.index(stop):
            raise SiteError(f"{last} is computed after {stop}, where the pass was told to stop")
        return stop

    def _accepted(self, tokens: Int64[Tensor, "batch seq"]) -> Int64[Tensor, "batch seq"]:
        if tokens.numel() == 0:
            raise DataError(f"there are no tokens in a batch of shape {list(tokens.shape)}")
        if tokens.shape[1] > self.n_context:
            raise DataError(
                f"{tokens.shape[1]} tokens in a row are more than the {self.n_context} that {self.name} takes"
            )
        low, high = int(tokens.min()), int(tokens.max())
        n_tokens = self.module.get_submodule(self.family.embed).get_parameter("weight").shape[0]
        if low < 0 or high >= n_tokens:
            wrong, known = low if low < 0 else high, f"0 to {n_tokens - 1}"
            raise DataError(f"token {wrong} is not in {self.name}'s vocabulary ({known}): was another tokenizer used?")
        return tokens.to(self.device)


_PASSING_SETTINGS = frozenset({"_name_or_path", "transformers_version", "architectures", "dtype"})
"""Settings that change by saving and loading and change nothing that is computed."""


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return sorted((str(k), _sorted(v)) for k, v in value.items())
    return [_sorted(item) for item in value] if isinstance(value, list | tuple) else value
