"""One tiny random model of every family, with every switch of its family that changes where things are."""

from collections.abc import Callable

import pytest
import torch

from monosema.models import Model, wrap

SMALL = {"vocab_size": 53, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2, "max_position_embeddings": 32}
GATED = SMALL | {
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
NEOX = SMALL | {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4}
GPT2 = SMALL | {"n_embd": 24, "n_layer": 2, "n_head": 3}
WIDE_HEADS = {"head_dim": 10, "query_pre_attn_scalar": 10}
WINDOW = {"sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"]}

CONFIGS = {
    "gpt2": ("GPT2", GPT2),
    "gpt_neox": ("GPTNeoX", NEOX),
    "gpt_neox serial": ("GPTNeoX", NEOX | {"use_parallel_residual": False}),
    "llama": ("Llama", GATED | {"attention_bias": True, "mlp_bias": True}),
    "mistral": ("Mistral", GATED | {"sliding_window": 4}),
    "qwen2": ("Qwen2", GATED),
    "qwen3": ("Qwen3", GATED | {"head_dim": 10}),
    "gemma": ("Gemma", GATED | {"head_dim": 10}),
    "gemma2": ("Gemma2", GATED | WIDE_HEADS | WINDOW),
    "gemma3_text": ("Gemma3Text", GATED | WIDE_HEADS | WINDOW | {"final_logit_softcapping": 3.0}),
}
"""Families whose layers are attention and an MLP, and which predict the next token."""

DISTIL = SMALL | {"dim": 24, "hidden_dim": 40, "n_layers": 2, "n_heads": 4}
TWO = SMALL | {"d_model": 24, "d_ff": 40, "d_kv": 5, "num_heads": 4, "num_layers": 2, "num_decoder_layers": 3}
STATE = SMALL | {"hidden_size": 24, "state_size": 5, "num_hidden_layers": 2, "use_bias": True}

OTHERS = {
    "bert": ("Bert", NEOX, "MaskedLM"),
    "distilbert": ("DistilBert", DISTIL, "MaskedLM"),
    "t5": ("T5", TWO | {"decoder_start_token_id": 2}, "Seq2SeqLM"),
    "t5 gated": ("T5", TWO | {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}, "Seq2SeqLM"),
    "mamba": ("Mamba", STATE, "CausalLM"),
}
"""Families of other shapes, with the head that transformers loads them with."""


def _build(family: str, **changes: object) -> torch.nn.Module:
    """A tiny model with every tensor random, norm gains and biases too, so that nothing hides in a one or a zero."""
    import transformers

    name, settings, head = OTHERS[family] if family in OTHERS else (*CONFIGS[family], "CausalLM")
    config = getattr(transformers, f"{name}Config")(**(settings | changes))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = getattr(transformers, f"AutoModelFor{head}").from_config(config, attn_implementation="eager")
        for parameter in module.parameters():
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    return module.requires_grad_(False).eval()


@pytest.fixture(scope="session")
def build() -> Callable[..., torch.nn.Module]:
    return _build


@pytest.fixture(scope="session", params=list(CONFIGS))
def model(request: pytest.FixtureRequest) -> Model:
    return wrap(_build(request.param), request.param)


@pytest.fixture(scope="session", params=list(OTHERS))
def other(request: pytest.FixtureRequest) -> Model:
    return wrap(_build(request.param), request.param)


@pytest.fixture(scope="session", params=[*CONFIGS, *OTHERS])
def every(request: pytest.FixtureRequest) -> Model:
    return wrap(_build(request.param), request.param)


@pytest.fixture(scope="session")
def gpt2() -> Model:
    return wrap(_build("gpt2"), "gpt2")


@pytest.fixture(scope="session")
def tokens() -> torch.Tensor:
    return torch.randint(3, 53, (3, 9), generator=torch.Generator().manual_seed(1))
