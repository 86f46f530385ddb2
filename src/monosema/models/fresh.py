"""A small model of a family with nothing learnt yet: transformers' own class, from its config, without dropout."""

from collections.abc import Callable
from typing import Any

import torch

from monosema.core.seeding import derive
from monosema.models.lm_config import LMConfig, LMFamily, TokenSource
from monosema.models.objectives import spans
from monosema.models.quiet import quiet


def fresh(tokens: TokenSource, config: LMConfig, family: LMFamily) -> Any:
    """A model of the size that `config` says, for the vocabulary and context of `tokens`; its weights from the seed."""
    import transformers

    name, head, settings = _FAMILIES[family]
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(config.seed, "weights"))
        return getattr(transformers, head)(getattr(transformers, f"{name}Config")(**settings(tokens, config)))


def _gpt2(tokens: TokenSource, config: LMConfig) -> dict[str, Any]:
    return dict(  # noqa: C408 - reads as the config's own call
        vocab_size=tokens.d_vocab,
        n_positions=tokens.context,
        n_embd=config.d_model,
        n_layer=config.n_layers,
        n_head=config.n_heads,
        activation_function="gelu_pytorch_tanh",  # GPT-2's own, as one kernel instead of eight
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=tokens.bos,
        eos_token_id=tokens.bos,
    )


def _bert(tokens: TokenSource, config: LMConfig) -> dict[str, Any]:
    return dict(  # noqa: C408 - reads as the config's own call
        vocab_size=tokens.d_vocab + 1,
        hidden_size=config.d_model,
        num_hidden_layers=config.n_layers,
        num_attention_heads=config.n_heads,
        intermediate_size=4 * config.d_model,
        hidden_act="gelu_pytorch_tanh",
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=tokens.context,
        type_vocab_size=1,
        pad_token_id=None,
        mask_token_id=tokens.d_vocab,
    )


def _t5(tokens: TokenSource, config: LMConfig) -> dict[str, Any]:
    n_marks = spans(tokens.context)[1]
    start = tokens.d_vocab + n_marks
    return dict(  # noqa: C408 - reads as the config's own call
        vocab_size=start + 1,
        d_model=config.d_model,
        d_kv=config.d_model // config.n_heads,
        d_ff=4 * config.d_model,
        num_layers=config.n_layers,
        num_heads=config.n_heads,
        dropout_rate=0.0,
        decoder_start_token_id=start,
        pad_token_id=start,
        eos_token_id=tokens.bos,
    )


def _mamba(tokens: TokenSource, config: LMConfig) -> dict[str, Any]:
    return dict(  # noqa: C408 - reads as the config's own call
        vocab_size=tokens.d_vocab,
        hidden_size=config.d_model,
        num_hidden_layers=config.n_layers,
        pad_token_id=None,
        bos_token_id=tokens.bos,
        eos_token_id=tokens.bos,
    )


_FAMILIES: dict[LMFamily, tuple[str, str, Callable[[TokenSource, LMConfig], dict[str, Any]]]] = {
    "gpt2": ("GPT2", "GPT2LMHeadModel", _gpt2),
    "bert": ("Bert", "BertForMaskedLM", _bert),
    "t5": ("T5", "T5ForConditionalGeneration", _t5),
    "mamba": ("Mamba", "MambaForCausalLM", _mamba),
}
