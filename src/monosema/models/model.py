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

    BERT and DistilBERT      normalise each sum: resid_mid = resid_pre + attn_out and mlp_in is its norm; resid_post =
                             mlp_in + mlp_out, and its norm is resid_pre of the next layer, ln_final in the last
    T5                       all of the above as enc.* and as dec.*, but for the one `logits`; dec.* has the decoder's
                             seq, and between attention and MLP
      dec.cross_q|k|v|z.i    as attn_q|k|v|z; k and v are [batch, encoder's seq, n_kv_heads, d_head], of enc.ln_final
      dec.cross_pattern.i    [batch, head, query, key]        queries of the decoder, keys of the encoder
      dec.cross_out.i        [batch, seq, d_model]            what is added to dec.resid_mid, which makes
      dec.resid_cross.i      [batch, seq, d_model]            what the MLP's output is added to
    Mamba                    has, in place of attention and MLP,
      ssm_in.i               [batch, seq, d_model]            what the mixer reads, after its norm
      ssm_conv.i             [batch, seq, d_inner]            after the convolution, as the step size and the matrices B
                                                              and C are made from it: an edit changes these alone
      ssm_act.i              [batch, seq, d_inner]            what the last matrix of the mixer reads: the scan, gated
      ssm_out.i              [batch, seq, d_model]            what is added to the residual stream
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.core import fingerprints
from monosema.core.errors import DataError, MismatchError, SiteError
from monosema.models import addresses, norms
from monosema.models.families import Family, Place
from monosema.models.passes import Plan, forward

Attention = Literal["eager", "fused"]

NO_LIMIT = 2**31 - 1
"""The `n_context` of a model that takes sequences of any length."""


@dataclass(frozen=True)
class Edit:
    """A change to make at a site during a pass: `apply` takes the activation (a copy, so that it may
    work in place) and returns one of the same shape, type and device."""

    site: str
    apply: Callable[[Tensor], Tensor]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A language model. Made by `load` or `wrap`, which have verified it.

    module       the transformers model, where it stands
    places       every site and where it is, in order of computation
    widths       the numbers per token at every site, all heads together; patterns have none
    stacks       layers by stack: {"": 12}, or {"enc": 6, "dec": 6}
    n_layers     layers of the stack that predicts: the decoder's, where there is an encoder too
    n_heads      0 in a model without attention, as n_kv_heads and d_head
    n_kv_heads   heads that have keys and values of their own (n_heads, unless queries share them)
    n_context    the longest sequence it was made for; NO_LIMIT where positions are relative (T5) or nowhere (Mamba)
    """

    module: torch.nn.Module
    name: str
    family: Family
    places: Mapping[str, Place]
    widths: Mapping[str, int]
    stacks: Mapping[str, int]
    n_layers: int
    d_model: int
    n_heads: int
    n_kv_heads: int
    d_head: int
    d_vocab: int
    n_context: int

    def __repr__(self) -> str:
        layers = "+".join(map(str, self.stacks.values()))
        heads = f", {self.n_heads} heads" if self.n_heads else ""
        sizes = f"{layers} layers, d_model {self.d_model}{heads}, d_vocab {self.d_vocab}"
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

    @property
    def causal(self) -> bool:
        """Whether every position predicts the next token from itself and those before it."""
        looks_ahead = bool(self.family.bidirectional) and getattr(self.module.config, self.family.bidirectional)
        return self.family.predicts == "next token" and not looks_ahead

    def sites(self) -> tuple[str, ...]:
        """Every site of this model, in order of computation."""
        return tuple(self.places)

    def width(self, site: str) -> int:
        """Numbers per token at `site`: d_model, heads * d_head, d_mlp or d_vocab.

        Raises SiteError for an unknown site and for a pattern, which is as wide as the sequence.
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
        return addresses.resolve(text, self.places)

    def run(
        self,
        tokens: Int64[Tensor, "batch seq"],
        read: Sequence[str] = (),
        edits: Sequence[Edit] = (),
        stop_at: str | None = None,
        attention: Attention = "eager",
        decoder_tokens: Int64[Tensor, "texts target"] | None = None,
    ) -> dict[str, Tensor]:
        """The activations at the sites in `read`, under the names they were asked for by.

        One forward pass, every token attending to itself and all before it; in an encoder to all. No token is taken
        for padding: texts of one batch are of one length. In an encoder-decoder `tokens` are the encoder's, and the
        decoder's are `decoder_tokens`, by default its start token alone, [batch, 1]. Edits at a site are made
        in their order, then the site is read. The pass ends at the last site that is read or edited,
        or at `stop_at`, which must not be before it. Reads are the pass's own tensors, not copies.
        Gradients are tracked as the caller's mode and the weights' `requires_grad` say; `load` turns
        the latter off. Attention is `eager`, by which the same pass gives the same bits whatever is read,
        or `fused`: faster, and the same to rounding; sites inside attention are still computed eagerly,
        and so is all of a model that caps its attention scores (Gemma 2).
        Raises SiteError (no such site; beyond `stop_at`), DataError (tokens that this model cannot take, or lacks)
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
        found = forward(self.module, self.places, self._inputs(tokens, decoder_tokens), plan)
        return {name: found[site] for name, site in asked.items()}

    def unembed(self, resid: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_vocab"]:
        """The logits for a residual stream after the last layer (the decoder's): final norm, whatever stands between
        it and the unembedding (BERT's transform), unembedding and soft cap."""
        x = self._final_norm(resid)
        for path in self.family.head:
            x = self.module.get_submodule(path)(x)
        matrix = self.module.get_submodule(self.family.unembed)
        logits = matrix((x * self._shrinkage).to(matrix.get_parameter("weight").dtype))
        cap = getattr(self.module.config, self.family.softcap) if self.family.softcap else None
        logits = logits if cap is None else torch.tanh(logits / cap) * cap
        return logits.float() if self.family.float_logits else logits

    def logit_weights(self) -> Float[Tensor, "d_model d_vocab"]:
        """The unembedding with the final norm folded in, float32, on the model's device: a copy.

        For a residual stream r with norm scale s(r) (its deviation, or root mean square),
        unembed(r) = r @ logit_weights() / s(r) + constant, before the soft cap where there is one. So
        `direction @ logit_weights()` is the direct effect of a direction on the logits, up to s > 0.
        The norm's gain multiplies the rows; LayerNorm's subtraction of the mean is projected out.
        Raises MismatchError where the logits are no such product (BERT, DistilBERT).
        """
        if self.family.head:
            raise MismatchError(
                f"{self.name} has layers that are not linear between its final norm and its unembedding, so a "
                "direction has no effect on the logits by itself: use Model.unembed on whole activations"
            )
        norm = norms.recognise(self._final_norm, self.d_model)
        W_U = self.module.get_submodule(self.family.unembed).get_parameter("weight").detach().float().T
        folded = norm.gain[:, None] * W_U * self._shrinkage
        return folded - folded.mean(0, keepdim=True) if norm.centred else folded

    @property
    def _final_norm(self) -> torch.nn.Module:
        return self.module.get_submodule(self.places["ln_final" if "" in self.stacks else "dec.ln_final"].path)

    @property
    def _shrinkage(self) -> float:
        """What the unembedding's input is multiplied by."""
        flag = self.family.shrinks
        return self.d_model**-0.5 if flag and getattr(self.module.config, flag) else 1.0

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

    def _inputs(self, tokens: Tensor, decoder_tokens: Tensor | None) -> dict[str, Tensor]:
        """What the module is called with. Raises DataError for tokens that it cannot take, or lacks."""
        inputs = {"input_ids": self._accepted(tokens)}
        if self.family.encoder is None:
            if decoder_tokens is not None:
                raise DataError(f"{self.name} has no decoder beside its one stack: leave decoder_tokens out")
            return inputs
        if decoder_tokens is None:
            decoder_tokens = self._start(len(tokens))
        if len(decoder_tokens) != len(tokens):
            raise DataError(
                f"{len(decoder_tokens)} texts for the decoder of {len(tokens)} for the encoder: give as many"
            )
        return inputs | {"decoder_input_ids": self._accepted(decoder_tokens)}

    def _start(self, batch: int) -> Int64[Tensor, "batch 1"]:
        config: Any = self.module.config
        token = config.to_dict().get("decoder_start_token_id")
        if token is None:
            raise DataError(f"the config of {self.name} names no decoder_start_token_id: give decoder_tokens")
        return torch.full((batch, 1), token)

    def _accepted(self, tokens: Int64[Tensor, "batch seq"]) -> Int64[Tensor, "batch seq"]:
        if tokens.numel() == 0:
            raise DataError(f"there are no tokens in a batch of shape {list(tokens.shape)}")
        if tokens.shape[1] > self.n_context:
            raise DataError(
                f"{tokens.shape[1]} tokens in a row are more than the {self.n_context} that {self.name} takes"
            )
        low, high = (int(end) for end in tokens.aminmax())
        embedding = self.module.get_submodule(self.family.embed).get_parameter("weight")
        n_tokens = embedding.shape[0]
        if low < 0 or high >= n_tokens:
            wrong, known = low if low < 0 else high, f"0 to {n_tokens - 1}"
            raise DataError(f"token {wrong} is not in {self.name}'s vocabulary ({known}): was another tokenizer used?")
        return tokens.to(embedding.device)


_PASSING_SETTINGS = frozenset({"_name_or_path", "transformers_version", "architectures", "dtype"})
"""Settings that change by saving and loading and change nothing that is computed."""


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return sorted((str(k), _sorted(v)) for k, v in value.items())
    return [_sorted(item) for item in value] if isinstance(value, list | tuple) else value
