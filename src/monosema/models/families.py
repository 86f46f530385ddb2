"""What sets one family of language models apart, as a table of attribute paths.

    token ids --embed--> resid_pre.0 --[ layer 0 ]--> resid_post.0 = resid_pre.1 -- ... --ln_final--> logits

    one layer     resid_pre --norm--> q k v, pattern, z --> attn_out --(+ resid_pre)--> resid_mid
                  resid_mid --norm--> mlp_in --> mlp_act --> mlp_out --(+ resid_mid)--> resid_post
    in parallel   the MLP reads resid_pre as the attention does; there is no resid_mid
    post-norm     resid_pre --> q k v, pattern, z --> attn_out --(+ resid_pre)--> resid_mid --norm--> mlp_in
    (BERT)        mlp_in --> mlp_act --> mlp_out --(+ mlp_in)--> resid_post --norm--> resid_pre of the next layer
    two stacks    enc.* as above without logits, attending both ways; then dec.*, where between attention and MLP
    (T5)          resid_mid --norm--> cross_q, enc.ln_final --> cross_k, cross_v --> cross_out --(+)--> resid_cross
    state space   resid_pre --norm--> ssm_in --> ssm_conv --> ssm_act --> ssm_out --(+ resid_pre)--> resid_post
    (Mamba)

`attn_out`, `cross_out`, `mlp_out` and `ssm_out` are what is ADDED to the residual stream: where a family normalises
them first (Gemma 2 and 3), they are taken after that norm. A table is believed only after
`monosema.models.verify` has seen that the parts add up. No torch in this file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Side = Literal["in", "out", "attention", "logits"]
"""Where at a module an activation is: its first argument, its output, inside its attention function,
or the logits that the whole model returns."""

Predicts = Literal["next token", "masked token", "target text"]
"""What a model is trained to say: the token after each, the tokens that were masked, or a text that answers another."""

ATTENTION_PARTS = ("q", "k", "v", "pattern", "z")
"""What is inside attention, in order of computation: `attn_q` or `cross_q`, and so on."""


@dataclass(frozen=True)
class Place:
    """Where a site is in the module tree: `in` or `out` of the module at `path`, or see `Side`.

    `rejoins`: where a layer adds its MLP's output to the stream as it was before the module at `path`
    was called, an edit there has to be carried on: the sites of that MLP's output and of the sum.
    """

    path: str
    side: Side
    rejoins: tuple[str, str] | None = None


@dataclass(frozen=True)
class Family:
    """The attribute paths of one `model_type` of transformers. Paths of a layer's parts start at the layer.

    mid_norm     what the residual stream enters after the attention; `mid_carries`: that module hands the stream
                 on (T5's sublayers, BERT's norms) instead of only reading it
    out_norm     in a post-norm family, the norm between resid_post and the next layer
    cross        attention to the encoder's output; `cross_entry`: what the stream enters after it
    mixer        in place of attention and MLP: a state-space mixer
    head         modules between the final norm and the unembedding that are not linear
    encoder      the table of the encoder, which runs first

    `parallel`, `softcap`, `attn_softcap`, `bidirectional`, `shrinks` and `n_context` name config attributes: the
    flag that the attention and the MLP read the same residual stream, the value c of a final c * tanh(logits / c),
    the same of the scores inside attention, the flag that tokens attend to later ones too, the flag that what the
    unembedding reads is divided by sqrt(d_model), and the longest sequence. Empty: the family has none.
    `float_stream`: the flag that a layer takes the residual stream in float32, whatever it is given and adds.
    `attends_both_ways`: every model of it does. `float_logits`: logits are float32 whatever the weights are.
    """

    embed: str = "model.embed_tokens"
    layers: str = "model.layers"
    attn: str = "self_attn"
    attn_out: str = "self_attn"
    mid_norm: str = "post_attention_layernorm"
    mid_carries: bool = False
    cross: str = ""
    cross_entry: str = ""
    mlp: str = "mlp"
    mlp_down: str = "mlp.down_proj"
    mlp_out: str = "mlp"
    mixer: str = ""
    out_norm: str = ""
    final_norm: str = "model.norm"
    head: tuple[str, ...] = ()
    unembed: str = "lm_head"
    parallel: str = ""
    softcap: str = ""
    attn_softcap: str = ""
    bidirectional: str = ""
    attends_both_ways: bool = False
    shrinks: str = ""
    float_stream: str = ""
    float_logits: bool = False
    n_context: str = "max_position_embeddings"
    predicts: Predicts = "next token"
    encoder: "Family | None" = None


_LLAMA = Family()

_GEMMA2 = Family(
    attn_out="post_attention_layernorm",
    mid_norm="pre_feedforward_layernorm",
    mlp_out="post_feedforward_layernorm",
    softcap="final_logit_softcapping",
    attn_softcap="attn_logit_softcapping",
)

_T5_ENCODER = Family(
    embed="encoder.embed_tokens",
    layers="encoder.block",
    attn="layer.0.SelfAttention",
    attn_out="layer.0.SelfAttention",
    mid_norm="layer.1",
    mid_carries=True,
    mlp="layer.1.DenseReluDense",
    mlp_down="layer.1.DenseReluDense.wo",
    mlp_out="layer.1.DenseReluDense",
    final_norm="encoder.final_layer_norm",
    attends_both_ways=True,
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
    "bert": Family(
        embed="bert.embeddings.word_embeddings",
        layers="bert.encoder.layer",
        attn="attention.self",
        attn_out="attention.output.dense",
        mid_norm="attention.output.LayerNorm",
        mid_carries=True,
        mlp="intermediate",
        mlp_down="output.dense",
        mlp_out="output.dense",
        out_norm="output.LayerNorm",
        head=("cls.predictions.transform",),
        unembed="cls.predictions.decoder",
        attends_both_ways=True,
        predicts="masked token",
    ),
    "distilbert": Family(
        embed="distilbert.embeddings.word_embeddings",
        layers="distilbert.transformer.layer",
        attn="attention",
        attn_out="attention",
        mid_norm="sa_layer_norm",
        mid_carries=True,
        mlp="ffn",
        mlp_down="ffn.lin2",
        mlp_out="ffn",
        out_norm="output_layer_norm",
        head=("vocab_transform", "activation", "vocab_layer_norm"),
        unembed="vocab_projector",
        attends_both_ways=True,
        predicts="masked token",
    ),
    "t5": Family(
        embed="decoder.embed_tokens",
        layers="decoder.block",
        attn="layer.0.SelfAttention",
        attn_out="layer.0.SelfAttention",
        mid_norm="layer.1",
        mid_carries=True,
        cross="layer.1.EncDecAttention",
        cross_entry="layer.2",
        mlp="layer.2.DenseReluDense",
        mlp_down="layer.2.DenseReluDense.wo",
        mlp_out="layer.2.DenseReluDense",
        final_norm="decoder.final_layer_norm",
        shrinks="scale_decoder_outputs",
        n_context="",
        predicts="target text",
        encoder=_T5_ENCODER,
    ),
    "mamba": Family(
        embed="backbone.embeddings",
        layers="backbone.layers",
        mixer="mixer",
        final_norm="backbone.norm_f",
        float_stream="residual_in_fp32",
        float_logits=True,
        n_context="",
    ),
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


def stacks(family: Family) -> dict[str, Family]:
    """The tables of a family's stacks in order of computation, by the prefix of their sites: none, `enc.`, `dec.`"""
    return {"": family} if family.encoder is None else {"enc.": family.encoder, "dec.": family}


def places(family: Family, n_layers: dict[str, int], parallel: bool) -> dict[str, Place]:
    """Every site of a model and where it is, in the order in which a forward pass computes them.

    `n_layers` by stack, as `stacks` names them. Of a layer's two branches the attention is computed
    first, also when they are parallel.
    """
    found: dict[str, Place] = {}
    for stack, table in stacks(family).items():
        found[f"{stack}embed"] = Place(table.embed, "out")
        for layer in range(n_layers[stack]):
            for kind, place in _layer(table, f"{table.layers}.{layer}", parallel):
                rejoins = place.rejoins and (f"{stack}{place.rejoins[0]}.{layer}", f"{stack}{place.rejoins[1]}.{layer}")
                found[f"{stack}{kind}.{layer}"] = Place(place.path, place.side, rejoins)
        last = f"{table.layers}.{n_layers[stack] - 1}.{table.out_norm}"
        found[f"{stack}ln_final"] = Place(last if table.out_norm else table.final_norm, "out")
    found["logits"] = Place(family.unembed, "logits")
    return found


def _layer(family: Family, at: str, parallel: bool) -> Iterator[tuple[str, Place]]:
    yield "resid_pre", Place(at, "in")
    if family.mixer:
        yield "ssm_in", Place(f"{at}.{family.mixer}", "in")
        yield "ssm_conv", Place(f"{at}.{family.mixer}.x_proj", "in")
        yield "ssm_act", Place(f"{at}.{family.mixer}.out_proj", "in")
        yield "ssm_out", Place(f"{at}.{family.mixer}", "out")
    else:
        yield from _attention_and_mlp(family, at, parallel)
    yield "resid_post", Place(f"{at}.{family.out_norm}", "in") if family.out_norm else Place(at, "out")


def _attention_and_mlp(family: Family, at: str, parallel: bool) -> Iterator[tuple[str, Place]]:
    for part in ATTENTION_PARTS:
        yield f"attn_{part}", Place(f"{at}.{family.attn}", "attention")
    yield "attn_out", Place(f"{at}.{family.attn_out}", "out")
    if not parallel:
        rejoins = None if family.mid_carries else ("mlp_out", "resid_post")
        yield "resid_mid", Place(f"{at}.{family.mid_norm}", "in", rejoins)
    if family.cross:
        for part in ATTENTION_PARTS:
            yield f"cross_{part}", Place(f"{at}.{family.cross}", "attention")
        yield "cross_out", Place(f"{at}.{family.cross}", "out")
        yield "resid_cross", Place(f"{at}.{family.cross_entry}", "in")
    yield "mlp_in", Place(f"{at}.{family.mlp}", "in")
    yield "mlp_act", Place(f"{at}.{family.mlp_down}", "in")
    yield "mlp_out", Place(f"{at}.{family.mlp_out}", "out")
