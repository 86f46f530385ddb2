"""A small GPT-2 from scratch that learns what a plan settles, and sees only what it may."""

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Int64
from torch import Tensor
from torch.nn import functional

from monosema.circuits.planning.settings import LearningConfig
from monosema.circuits.planning.sight import Reader, scores
from monosema.core.errors import DivergedError
from monosema.core.progress import progress
from monosema.core.seeding import derive, generator
from monosema.models import wrap
from monosema.models.quiet import quiet

NOTHING = -100
"""Marks a token that need not be told."""

WARMUP = 0.05
BETAS = (0.9, 0.95)

Batch = tuple[Int64[Tensor, "n seq"], Int64[Tensor, "n seq"]]
"""Tokens, and after each what is to be told, or NOTHING."""


def learn(
    name: str,
    n_words: int,
    draw: Callable[[int, torch.Generator], Batch],
    sees: Bool[Tensor, "query key"],
    config: LearningConfig,
    seed: int,
) -> Reader:
    """The model `name`, trained on batches that `draw` makes. The same call gives the same weights on the same machine
    with as many threads. Raises DivergedError."""
    module = _fresh(n_words, len(sees), config, derive(seed, "weights", name)).train()
    optimiser = torch.optim.AdamW(module.parameters(), config.lr, BETAS, weight_decay=0.01, fused=True)
    draws = generator(seed, "documents", name)
    with progress(f"training {name}", config.steps) as bar:
        for step in range(config.steps):
            tokens, targets = draw(config.batch_size, draws)
            seen = scores(sees[: tokens.shape[1], : tokens.shape[1]])
            logits = module(input_ids=tokens, attention_mask=seen, use_cache=False).logits
            loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=NOTHING)
            if not math.isfinite(loss.item()):
                raise DivergedError(f"the loss of {name} is {loss.item()} at step {step}: train with a lower lr")
            loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            for group in optimiser.param_groups:
                group["lr"] = config.lr * _share(step, config.steps)
            optimiser.step()
            optimiser.zero_grad()
            bar.advance(1, f"loss {loss.item():.3f}")
    return Reader(wrap(module.requires_grad_(False).eval(), name), sees)


def untrained(name: str, n_words: int, sees: Bool[Tensor, "query key"], config: LearningConfig, seed: int) -> Reader:
    """The model that `learn` starts from."""
    module = _fresh(n_words, len(sees), config, derive(seed, "weights", name))
    return Reader(wrap(module.requires_grad_(False).eval(), name), sees)


def _share(step: int, steps: int) -> float:
    """Of the learning rate: up over the warm-up, then a cosine to zero."""
    warm = WARMUP * steps
    return (step + 1) / (warm + 1) if step < warm else 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))


def _fresh(n_words: int, length: int, config: LearningConfig, seed: int) -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module: Any = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=n_words,
                n_positions=length,
                n_embd=config.d_model,
                n_layer=config.n_layers,
                n_head=config.n_heads,
                activation_function="gelu_pytorch_tanh",
                resid_pdrop=0.0,
                embd_pdrop=0.0,
                attn_pdrop=0.0,
                bos_token_id=0,
                eos_token_id=0,
            )
        )
    module.set_attn_implementation("eager")
    return module
