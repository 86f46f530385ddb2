"""TransformerLens's model of a GPT-2 folder, its weights as they are, without network; for the peers' workers."""

import json
from pathlib import Path

import torch
from sae_lens import HookedSAETransformer
from safetensors.torch import load_file
from transformer_lens import HookedTransformerConfig
from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from benchmarks.workers.showing import DICTIONARY, TOKENS, ShowTask


def hooked(folder: str) -> HookedSAETransformer:
    """The model and its tokenizer; raises AssertionError when its logits are not those of transformers."""
    given = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32).eval()
    theirs = given.config
    config = HookedTransformerConfig(
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
    model = HookedSAETransformer(config)
    model.load_and_process_state_dict(
        convert_gpt2_weights(given, config),
        fold_ln=False,
        center_writing_weights=False,
        center_unembed=False,
        fold_value_biases=False,
    )
    model.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tokens = torch.arange(1, 33)[None]
    with torch.no_grad():
        torch.testing.assert_close(model(tokens), given(tokens).logits, rtol=1e-3, atol=1e-3)
    return model


def tokens_of(task: ShowTask) -> torch.Tensor:
    """[block, context]"""
    return load_file(Path(task.subject) / TOKENS)["tokens"].long()


def dictionary_folder(task: ShowTask) -> Path:
    return Path(task.subject) / DICTIONARY


def hook_point(task: ShowTask) -> str:
    """TransformerLens's name of the site that the dictionary reads."""
    return json.loads((dictionary_folder(task) / "cfg.json").read_text())["metadata"]["hook_name"]
