"""The model around one pass: attention patterns and the denominators of norms held, MLPs taken out.

    resid_pre.l --norm, values, pattern, output--> + --> resid_mid.l --norm--> mlp_in.l        mlp_out.l is given
    in parallel layers mlp_in.l is a norm of resid_pre.l

What is added to the residual stream then travels linearly to whatever reads it later. A change is pushed forward, a
reading pulled back; the two are each other's adjoint. Only patterns [layer, head, token, token], one number a norm and
token, and the model's own matrices are held. Where a transcoder has a skip, a matrix from what the MLP reads to what
it writes, that is a part of the linear model too. Edits of attention patterns are made in the pass, and what they leave
is what is held.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.circuits.linear import attention, norms
from monosema.circuits.linear.attention import HeldAttention
from monosema.circuits.linear.families import require_linear
from monosema.circuits.linear.norms import HeldNorm
from monosema.core.errors import ConfigError, MismatchError
from monosema.core.sites import parse
from monosema.models import Edit, Model

REPLAY, ROUNDINGS = 1e-3, 16
"""The linear model may miss what the model itself computed by this share of its largest coordinate; or, where that is
more, as in half precision, by as many roundings of the model's own type."""


@dataclass(frozen=True)
class HeldLayer:
    """One layer but its MLP; `after` is the norm of what attention adds, where there is one."""

    attn_norm: HeldNorm
    attention: HeldAttention
    after: HeldNorm | None
    mlp_norm: HeldNorm

    def pull_attention(self, g: Float[Tensor, "token row d_model"]) -> Float[Tensor, "token row d_model"]:
        """From what attention adds to the residual stream to the stream that it reads."""
        g = g if self.after is None else self.after.pull(g)
        return self.attn_norm.pull(self.attention.pull(g))

    def pull_attention_from(self, g: Tensor, at: Tensor, seq: int) -> Float[Tensor, "token row d_model"]:
        """The same of readings of one token each."""
        g = g if self.after is None else self.after.at(at).pull(g)
        return self.attn_norm.pull(self.attention.pull_from(g, at, seq))

    def push_attention(self, x: Tensor, *, biases: bool) -> Float[Tensor, "token row d_model"]:
        """What attention adds when the stream it reads is `x`; without biases, what a change `x` changes."""
        read = self.attn_norm.push(x) + (self.attn_norm.bias if biases else 0)
        out = self.attention.push(read) + (self.attention.biases()[:, None] if biases else 0)
        return out if self.after is None else self.after.push(out) + (self.after.bias if biases else 0)


@dataclass(frozen=True)
class LocalModel:
    """The linear model at one pass over `token` tokens.

    W_U        the unembedding, and logit_bias with it; logits are those before a soft cap
    parallel   whether attention and MLP read the same stream
    causal     whether no token sees a later one
    skips      by layer, a matrix by which what its MLP would read goes on to what it would write
    seen       what the model itself computed, site by site: [token, width], and logits [d_vocab] of the last token
    """

    layers: tuple[HeldLayer, ...]
    final_norm: HeldNorm
    W_U: Float[Tensor, "d_vocab d_model"]
    logit_bias: Float[Tensor, "d_vocab"]
    parallel: bool
    causal: bool
    skips: Mapping[int, Tensor]
    seen: Mapping[str, Tensor]

    @property
    def n_tokens(self) -> int:
        return len(self.seen["embed"])

    @property
    def positions(self) -> Float[Tensor, "token d_model"]:
        """What is in the stream before layer 0 besides the tokens: position embeddings, or zeros."""
        return self.seen["resid_pre.0"] - self.seen["embed"]

    def with_skips(self, skips: Mapping[int, Tensor]) -> "LocalModel":
        """The same with these skips."""
        return replace(self, skips=skips)

    def pull(self, layer: int, g: Float[Tensor, "token row d_model"]) -> Float[Tensor, "token row d_model"]:
        """From a reading of resid_post.`layer` to the reading of resid_pre.`layer` that it is."""
        through = self.pull_mlp(layer, g)
        return through + self.layers[layer].pull_attention(g if self.parallel else through)

    def pull_mlp(self, layer: int, g: Float[Tensor, "token row d_model"]) -> Float[Tensor, "token row d_model"]:
        """From a reading of resid_post.`layer` to the reading of the stream that its MLP reads which it is by itself
        and by a skip."""
        if layer not in self.skips:
            return g
        return g + self.layers[layer].mlp_norm.pull(g @ self.skips[layer].T)

    def read(
        self, layer: int, g: Float[Tensor, "token row d_model"], x: Float[Tensor, "kind tokens d_model"]
    ) -> Float[Tensor, "kind token row"]:
        """What each token's vectors `x`, written at resid_pre.`layer`, add to the readings `g` of resid_post: `pull`
        times x, at half the cost."""
        held, seq, through = self.layers[layer], len(g), self.pull_mlp(layer, g)
        out = g if self.parallel else through
        out = out if held.after is None else held.after.pull(out)
        values = held.attention.values(held.attn_norm.push(x.transpose(0, 1)[:seq]))
        by_attention = torch.einsum("ktre,ktme->mtr", held.attention.pull_values(out), values)
        return by_attention + torch.einsum("trd,mtd->mtr", through, x[:, :seq])

    def pull_reading(
        self, layer: int, v: Float[Tensor, "row d_model"], at: Int64[Tensor, "row"], *, normed: bool
    ) -> Float[Tensor, "token row d_model"]:
        """From readings `v` of mlp_in.`layer`, row r at token at[r], to those of resid_pre.`layer` that they are,
        of tokens up to the last in `at` where the model is causal. Not `normed`: of the stream before that norm."""
        held, seq = self.layers[layer], self._reach(at)
        g = held.mlp_norm.at(at).pull(v) if normed else v
        start = v.new_zeros(seq, *v.shape) if self.parallel else held.pull_attention_from(g, at, seq)
        start[at, torch.arange(len(at), device=at.device)] += g
        return start

    def pull_final(self, v: Float[Tensor, "row d_model"]) -> Float[Tensor, "token row d_model"]:
        """From readings of the last token's ln_final to those of the last layer's resid_post."""
        last = torch.full((len(v),), self.n_tokens - 1, device=v.device)
        start = v.new_zeros(self.n_tokens, *v.shape)
        start[-1] = self.final_norm.at(last).pull(v)
        return start

    def push(
        self, embedded: Float[Tensor, "token row d_model"], written: Mapping[int, Tensor], *, biases: bool
    ) -> dict[str, Tensor]:
        """What is read when `embedded` is in the stream before layer 0 and `written[l]` at mlp_out.l.

        By site: mlp_in.l, resid_mid.l (resid_pre.l in parallel layers) and ln_final, each [token, row, d_model].
        With `biases`, the model's own are there too: what is read is then a state and not a change.
        """
        x, read = embedded, {}
        for layer in range(len(self.layers)):
            stream, mlp_in, x = self.push_layer(layer, x, written, biases=biases)
            read[f"{'resid_pre' if self.parallel else 'resid_mid'}.{layer}"], read[f"mlp_in.{layer}"] = stream, mlp_in
        read["ln_final"] = self.final_norm.push(x) + (self.final_norm.bias if biases else 0)
        return read

    def push_layer(
        self, layer: int, x: Float[Tensor, "token row d_model"], written: Mapping[int, Tensor], *, biases: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """From what is in resid_pre.`layer` to (the stream before the MLP's norm, mlp_in, resid_post)."""
        held = self.layers[layer]
        after = x + held.push_attention(x, biases=biases)
        stream = x if self.parallel else after
        mlp_in = held.mlp_norm.push(stream) + (held.mlp_norm.bias if biases else 0)
        skipped = mlp_in @ self.skips[layer] if layer in self.skips else 0
        return stream, mlp_in, after + skipped + written.get(layer, 0)

    def _reach(self, at: Tensor) -> int:
        return int(at.max()) + 1 if self.causal else self.n_tokens


@torch.no_grad()
def hold(model: Model, tokens: Int64[Tensor, "token"], edits: Sequence[Edit] = ()) -> LocalModel:
    """The linear model of `model` at one pass over `tokens` with `edits` of its attention patterns, in float32, or
    float64 for a model in float64.

    Raises ConfigError for a family that has none and for an edit elsewhere, MismatchError when it does not give what
    the model itself does, and what `Model.run` raises of tokens and edits.
    """
    paths = require_linear(model)
    require_patterns(model, edits)
    kinds = ("resid_pre", "attn_pattern", "attn_out", "mlp_in", "mlp_out", "resid_post")
    parallel = "resid_mid.0" not in model.sites()
    kinds = kinds if parallel else (*kinds, "resid_mid")
    sites = ["embed", *(f"{kind}.{layer}" for layer in range(model.n_layers) for kind in kinds), "ln_final", "logits"]
    raw = {site: x[0] for site, x in model.run(tokens[None], sites, edits).items()}
    dtype = torch.promote_types(model.dtype, torch.float32)
    layers = tuple(_layer(model, layer, raw, dtype) for layer in range(model.n_layers))
    unembed = dict(model.module.get_submodule(model.family.unembed).named_parameters())
    final = model.module.get_submodule(model.family.final_norm)
    W_U = unembed["weight"].detach().to(dtype)
    held = LocalModel(
        layers=layers,
        final_norm=norms.hold(final, raw[f"resid_post.{model.n_layers - 1}"], dtype),
        W_U=W_U,
        logit_bias=unembed["bias"].detach().to(dtype) if "bias" in unembed else W_U.new_zeros(len(W_U)),
        parallel=parallel,
        causal=model.causal and not any(_looks_ahead(raw[f"attn_pattern.{at}"]) for at in range(model.n_layers)),
        skips={},
        seen={site: x[-1].to(dtype) if site == "logits" else x.to(dtype) for site, x in raw.items()},
    )
    _replays(model, held, paths.values)
    return held


def require_patterns(model: Model, edits: Sequence[Edit]) -> tuple[str, ...]:
    """The sites of `edits`, each once. Raises ConfigError for one that is no attention pattern."""
    found = dict.fromkeys(model.resolve(edit.site) for edit in edits)
    for site in found:
        if parse(site).kind != "attn_pattern":
            raise ConfigError(
                f"an edit at {site} cannot be part of a graph, whose linear model would not be {model.name}'s any "
                "more: edit attention patterns (attn_pattern.l) only"
            )
    return tuple(found)


def _looks_ahead(pattern: Float[Tensor, "head query key"]) -> bool:
    return bool(pattern.triu(1).any())


def _layer(model: Model, layer: int, raw: Mapping[str, Tensor], dtype: torch.dtype) -> HeldLayer:
    paths, module = require_linear(model), model.module.get_submodule(f"{model.family.layers}.{layer}")
    heads = attention.hold(module, paths, raw[f"attn_pattern.{layer}"].to(dtype), model.d_head)
    attn_norm = norms.hold(module.get_submodule(paths.attn_norm), raw[f"resid_pre.{layer}"], dtype)
    stream = raw[f"resid_mid.{layer}" if f"resid_mid.{layer}" in raw else f"resid_pre.{layer}"]
    mlp_norm = norms.hold(module.get_submodule(paths.mlp_norm), stream, dtype)
    bare = HeldLayer(attn_norm, heads, None, mlp_norm)
    if not paths.after:
        return bare
    out = bare.push_attention(raw[f"resid_pre.{layer}"].to(dtype)[:, None], biases=True)[:, 0]
    return replace(bare, after=norms.hold(module.get_submodule(paths.after), out.to(model.dtype), dtype))


def _replays(model: Model, held: LocalModel, what: str) -> None:
    """Raise MismatchError unless the linear model, given what the MLPs wrote, comes to what the model read."""
    written = {layer: held.seen[f"mlp_out.{layer}"][:, None] for layer in range(model.n_layers)}
    found = held.push(held.seen["resid_pre.0"][:, None], written, biases=True)
    share = max(REPLAY, ROUNDINGS * torch.finfo(model.dtype).eps)
    for site, x in found.items():
        truth = held.seen[site]
        if not (x[:, 0] - truth).abs().max() <= share * max(1.0, float(truth.abs().max())):
            raise MismatchError(
                f"{model.name}, with its patterns and norms held, does not come to its own {site} again: the paths of "
                f"its family ({what} and others) do not fit it, so no graph of it would be exact"
            )
