"""Embeddings of decoders, encoders, both at once, and state spaces: each its own matrices, and a page."""

from typing import Any

import pytest
import tokenizers
import torch

from monosema.corpus import Tokenizer
from monosema.geometry import GeometryConfig, embedding, explore_model
from monosema.geometry.exploring import tied
from monosema.models import Model, wrap

WORDS = [*"abcdefghijklmnopqrstuvwxyz", *"ABCDEFGHIJ", *"0123456789", ".", ",", "+", "-", "(", ")", "<pad>"]
SMALL = {"vocab_size": 60, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2, "max_position_embeddings": 32}
LAYERS = {"num_hidden_layers": 1, "hidden_size": 24}
HEADS = LAYERS | {"num_attention_heads": 4, "intermediate_size": 40}
FAMILIES = {
    "Llama": ("CausalLM", HEADS | {"num_key_value_heads": 2}),
    "Bert": ("MaskedLM", HEADS),
    "T5": ("Seq2SeqLM", {"d_model": 24, "d_ff": 40, "d_kv": 6, "num_heads": 4, "num_layers": 1}),
    "Mamba": ("CausalLM", LAYERS | {"state_size": 5}),
}
TIED = {"Bert", "T5", "Mamba"}


@pytest.fixture(scope="module", params=list(FAMILIES))
def model(request: pytest.FixtureRequest) -> Model:
    import transformers

    head, settings = FAMILIES[request.param]
    more = {"decoder_start_token_id": 2} if request.param == "T5" else {}
    config = getattr(transformers, f"{request.param}Config")(**SMALL | settings | more)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = getattr(transformers, f"AutoModelFor{head}").from_config(config, attn_implementation="eager")
    return wrap(module.requires_grad_(False).eval(), request.param)


def test_rows_are_those_of_the_family_s_own_matrices(model: Model):
    module: Any = model.module
    assert torch.equal(embedding(model), module.get_input_embeddings().weight)
    assert torch.equal(embedding(model, "unembed"), module.get_output_embeddings().weight)
    assert tied(model) == (model.name in TIED)


def test_every_family_has_a_page_without_the_rows_that_no_token_has(model: Model):
    raw = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: i for i, word in enumerate(WORDS)}, "a"))
    found = explore_model(model, Tokenizer(raw, None, None, None), GeometryConfig("unembed", 20, 4, 20, 4))
    assert f"unembedding of {model.name}" in found.how and f"{len(WORDS)} tokens of 24 dimensions" in found.how
    assert f"without {60 - len(WORDS)} rows that no token has" in found.how
    # Nothing was learnt: eta2 is near what labels without meaning give, and far from one.
    eta2 = found.findings["eta2"]
    assert eta2.control is not None and eta2.value < 3 * eta2.control < 0.5
