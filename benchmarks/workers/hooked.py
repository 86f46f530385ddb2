"""TransformerLens's HookedTransformer of a model of transformers, its weights as they are, for the workers."""

from typing import Any, TypeVar

import torch
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights, convert_llama_weights

Hooked = TypeVar("Hooked", bound=HookedTransformer)


def hooked(given: Any, kind: type[Hooked]) -> Hooked:
    """A GPT-2 or Llama as a `kind`; raises AssertionError when its logits are not those of transformers."""
    config, convert = (
        (_llama, convert_llama_weights) if given.config.model_type == "llama" else (_gpt2, convert_gpt2_weights)
    )
    settings = config(given.config)
    model = kind(settings)
    model.load_and_process_state_dict(
        convert(given, settings),
        fold_ln=False,
        center_writing_weights=False,
        center_unembed=False,
        fold_value_biases=False,
    )
    tokens = torch.arange(1, 33)[None]
    with torch.no_grad():
        torch.testing.assert_close(model(tokens), given(tokens).logits, rtol=1e-3, atol=1e-3)
    return model


def _gpt2(theirs: Any) -> HookedTransformerConfig:
    return HookedTransformerConfig(
        n_layers=theirs.n_layer,
        d_model=theirs.n_embd,
        n_ctx=theirs.n_positions,
        n_heads=theirs.n_head,
        d_head=theirs.n_embd // theirs.n_head,
        d_vocab=theirs.vocab_size,
        act_fn="gelu_new",
        normalization_type="LN",
        eps=theirs.layer_norm_epsilon,
        model_name="gpt2",
        device="cpu",
    )


def _llama(theirs: Any) -> HookedTransformerConfig:
    d_head = theirs.hidden_size // theirs.num_attention_heads
    return HookedTransformerConfig(
        n_layers=theirs.num_hidden_layers,
        d_model=theirs.hidden_size,
        n_ctx=theirs.max_position_embeddings,
        n_heads=theirs.num_attention_heads,
        n_key_value_heads=theirs.num_key_value_heads,
        d_head=d_head,
        d_mlp=theirs.intermediate_size,
        d_vocab=theirs.vocab_size,
        act_fn="silu",
        normalization_type="RMS",
        final_rms=True,
        gated_mlp=True,
        positional_embedding_type="rotary",
        rotary_adjacent_pairs=False,
        rotary_dim=d_head,
        eps=theirs.rms_norm_eps,
        model_name="llama",
        device="cpu",
    )
