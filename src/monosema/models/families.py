"""What sets one family of language models apart, as a table of attribute paths.

    token ids --embed--> resid_pre.0 --[ layer 0 ]--> resid_post.0 = resid_pre.1 -- ... --ln_final--> logits

    one layer     resid_pre --norm--> q k v, pattern, z --> attn_out --(+ resid_pre)--> resid_mid
                  resid_mid --norm--> mlp_in --> mlp_act --> mlp_out --(+ resid_mid)--> resid_post
    in parallel   the MLP reads resid_pre as the attention does; there is no resid_mid

`attn_out` and `mlp_out` are what is ADDED to the residual stream: where a family normalises them
first (Gemma 2 and 3), they are taken after that norm. A table is believed only after
`monosema.models.verify` has seen that the parts add up. No torch in this file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Side = Literal["in", "out", "attention", "logits"]
"""Where at a module an activation is: its first argument, its output, inside its attention function,
or the logits that the whole model returns."""


@dataclass(frozen=True)
class Place:
    """Where a site is in the module tree: `in` or `out` of the module at `path`, or see `Side`."""

    path: str
    side: Side


@dataclass(frozen=True)
class Family:
    """The attribute paths of one `model_type` of transformers. Paths of a layer's parts start at the layer.

    `parallel`, `softcap`, `attn_softcap` and `bidirectional` name config attributes: the flag that the
    attention and the MLP read the same residual stream, the value c of a final c * tanh(logits / c), the
    same of the scores inside attention, and the flag that tokens attend to later ones too. Empty: the
    family has none.
    """

    embed: str = "model.embed_tokens"
    layers: str = "model.layers"
    attn: str = "self_attn"
    attn_out: str = "self_attn"
    mid_norm: str = "post_attention_layernorm"
    mlp: str = "mlp"
    mlp_down: str = "mlp.down_proj"
    mlp_out: str = "mlp"
    final_norm: str = "model.norm"
    unembed: str = "lm_head"
    parallel: str = ""
    softcap: str = ""
    attn_softcap: str = ""
    bidirectional: str = ""


_LLAMA = Family()

_GEMMA2 = Family(
    attn_out="post_attention_layernorm",
    mid_norm="pre_feedforward_layernorm",
    mlp_out="post_feedforward_layernorm",
    softcap="final_logit_softcapping",
    attn_softcap="attn_logit_softcapping",
)

FAMILIES: dict[str, Family] = {
    "gpt2": Family(
        embed="transformer.wte",
        layers="transformer.h",
        attn="attn",
        attn_out="attn",
        mid_norm="ln_2",
        mlp_down="mlp.c_proj",
        final_norm="transformer.ln_f",
    ),
    "gpt_neox": Family(
        embed="gpt_neox.embed_in",
        layers="gpt_neox.layers",
        attn="attention",
        attn_out="attention",
        mlp_down="mlp.dense_4h_to_h",
        final_norm="gpt_neox.final_layer_norm",
        parallel="use_parallel_residual",
    ),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma": _LLAMA,
    "gemma2": _GEMMA2,
    "gemma3_text": _GEMMA2,
    "small_transformer": Family(
        embed="embed",
        layers="blocks",
        attn="attn",
        attn_out="attn",
        mid_norm="mlp_norm",
        mlp_down="mlp.down",
        final_norm="final_norm",
        unembed="unembed",
        bidirectional="bidirectional",
    ),
}
"""The families by the `model_type` of their config.json."""


def places(family: Family, n_layers: int, parallel: bool) -> dict[str, Place]:
    """Every site of a model and where it is, in the order in which a forward pass computes them.

    Of a layer's two branches the attention is computed first, also when they are parallel.
    """
    found = {"embed": Place(family.embed, "out")}
    for layer in range(n_layers):
        found |= {f"{kind}.{layer}": place for kind, place in _layer(family, f"{family.layers}.{layer}", parallel)}
    found["ln_final"] = Place(family.final_norm, "out")
    found["logits"] = Place(family.unembed, "logits")
    return found


def _layer(family: Family, at: str, parallel: bool) -> Iterator[tuple[str, Place]]:
    yield "resid_pre", Place(at, "in")
    for kind in ("attn_q", "attn_k", "attn_v", "attn_pattern", "attn_z"):
        yield kind, Place(f"{at}.{family.attn}", "attention")
    yield "attn_out", Place(f"{at}.{family.attn_out}", "out")
    if not parallel:
        yield "resid_mid", Place(f"{at}.{family.mid_norm}", "in")
    yield "mlp_in", Place(f"{at}.{family.mlp}", "in")
    yield "mlp_act", Place(f"{at}.{family.mlp_down}", "in")
    yield "mlp_out", Place(f"{at}.{family.mlp_out}", "out")
    yield "resid_post", Place(at, "out")
