"""Prompts for small models: one letter a token, and a dictionary that fires on about half of them."""

from collections.abc import Sequence

import torch

from monosema.dictionaries import Dictionary
from monosema.features.live import Explorer
from monosema.models import Model, wrap

from .stand_ins import VOCABULARY
from .toy_models import dictionary_of

WIDTH, CONTEXT = 16, 24
TEXT = "abcacbd"


class Letters:
    """A tokenizer of one character a token; '^' is its BOS unless it has none."""

    vocab_size = len(VOCABULARY)

    def __init__(self, bos: int | None = 0, eos: int | None = None) -> None:
        self.bos, self.eos = bos, eos

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[VOCABULARY.index(c) for c in text] for text in texts]

    def token_texts(self, ids: Sequence[int]) -> list[str]:
        return [VOCABULARY[i] for i in ids]


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def tiny_gpt2() -> Model:
    """Three layers with random weights, spread so that every effect can be seen."""
    import transformers

    config = transformers.GPT2Config(
        vocab_size=len(VOCABULARY), n_embd=WIDTH, n_layer=3, n_head=2, n_positions=CONTEXT, bos_token_id=0,
        eos_token_id=0,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
        for parameter in module.parameters():
            parameter.data.add_(0.3 * torch.randn_like(parameter))
    return wrap(module.requires_grad_(False).eval(), "gpt2")


def halves(model: Model, reads: Sequence[str], writes: Sequence[str] | None = None, n: int = 6, **config) -> Dictionary:
    """Features that fire on about half of the tokens; feature 0 where feature 3 does not."""
    writes = reads if writes is None else writes
    d_in, d_out = (sum(model.width(site) for site in sites) for sites in (reads, writes))
    encoder, x = drawn(n, d_in, seed=7), model.run(torch.arange(2, 22).unsqueeze(0), read=list(reads))
    mean = torch.cat([x[site].flatten(2) for site in reads], 2).mean((0, 1))
    encoder -= (encoder @ mean / (mean @ mean)).unsqueeze(1) * mean
    encoder[3] = -encoder[0]
    return dictionary_of(encoder / d_in**0.5, drawn(n, d_out, seed=1), reads, writes, **config)


def exploring(model, tokenizer: Letters | None = None, **dictionaries: Dictionary) -> Explorer:
    return Explorer(model, tokenizer or Letters(), dictionaries)
