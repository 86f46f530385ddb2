"""TransformerLens's model of a GPT-2 folder, its weights as they are, without network; for the peers' workers."""

import json
from pathlib import Path

import torch
from sae_lens import HookedSAETransformer
from safetensors.torch import load_file
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from benchmarks.workers.hooked import hooked as of_transformers
from benchmarks.workers.showing import DICTIONARY, TOKENS, ShowTask


def hooked(folder: str) -> HookedSAETransformer:
    """The model and its tokenizer; raises AssertionError when its logits are not those of transformers."""
    model = of_transformers(GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32).eval(), HookedSAETransformer)
    model.tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    return model


def tokens_of(task: ShowTask) -> torch.Tensor:
    """[block, context]"""
    return load_file(Path(task.subject) / TOKENS)["tokens"].long()


def dictionary_folder(task: ShowTask) -> Path:
    return Path(task.subject) / DICTIONARY


def hook_point(task: ShowTask) -> str:
    """TransformerLens's name of the site that the dictionary reads."""
    return json.loads((dictionary_folder(task) / "cfg.json").read_text())["metadata"]["hook_name"]
