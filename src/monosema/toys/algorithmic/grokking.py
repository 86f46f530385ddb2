"""Modular addition learnt from a part of all sums: first by heart, and later, under weight decay, as a rule.

    all p^2 pairs --seed--> train | test      full batch, AdamW      accuracy on both, by step

The controls: the same pairs with their sums dealt out anew (there is no rule; the test stays at chance), and the same
training without weight decay. Settings of Nanda et al. (2023): modulus 113, share .3, 1 layer, no norm.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int64
from torch import Tensor
from torch.nn import functional

from monosema.core.seeding import generator
from monosema.models.small_transformer import SmallConfig, SmallTransformer, small_transformer
from monosema.toys.algorithmic.learning import BETAS, Labels
from monosema.toys.algorithmic.recipes import GrokConfig
from monosema.toys.algorithmic.tasks import modular_addition


@dataclass(frozen=True)
class Sums:
    """Every pair of numbers with its sum modulo p, and which of them are trained on."""

    tokens: Int64[Tensor, "pair 3"]
    targets: Int64[Tensor, " pair"]
    train: Bool[Tensor, " pair"]


@dataclass(frozen=True)
class Grokked:
    """The trained module, and by recorded step: accuracy and loss on the pairs trained on, and on the others."""

    module: SmallTransformer
    steps: tuple[int, ...]
    train: tuple[float, ...]
    test: tuple[float, ...]
    train_loss: tuple[float, ...]
    test_loss: tuple[float, ...]


def sums(config: GrokConfig, labels: Labels = "true") -> Sums:
    """All pairs; with shuffled labels every pair keeps a sum that belongs to another."""
    p = config.modulus
    a, b = torch.arange(p).repeat_interleave(p), torch.arange(p).repeat(p)
    tokens = torch.stack([a, b, torch.full_like(a, p)], 1)
    targets = modular_addition(p).solve(tokens)[:, -1]
    if labels == "shuffled":
        targets = targets[torch.randperm(p * p, generator=generator(config.seed, "shuffle"))]
    chosen = torch.randperm(p * p, generator=generator(config.seed, "split"))[: round(config.share * p * p)]
    train = torch.zeros(p * p, dtype=torch.bool)
    train[chosen] = True
    return Sums(tokens, targets, train)


def grok(
    config: GrokConfig, labels: Labels = "true", watch: Callable[[int, SmallTransformer], None] | None = None
) -> Grokked:
    """Train on the whole part at every step. The same call gives the same numbers. `watch` is given each recorded step
    and the module as it then is, to look at."""
    made = sums(config, labels)
    d_head = config.d_model // config.n_heads
    module = small_transformer(
        SmallConfig(
            d_vocab=config.modulus + 1,
            d_vocab_out=config.modulus,
            n_context=3,
            n_layers=1,
            d_model=config.d_model,
            n_heads=config.n_heads,
            d_head=d_head,
            d_mlp=config.d_mlp,
            norm="none",
            attn_scale=d_head**0.5,
        ),
        config.seed,
    )
    optimiser = torch.optim.AdamW(module.parameters(), config.lr, BETAS, weight_decay=config.weight_decay, fused=True)
    rows: list[tuple[int, float, float, float, float]] = []
    tokens, targets = made.tokens[made.train], made.targets[made.train]
    for step in range(config.steps + 1):
        if step % config.every == 0 or step == config.steps:
            rows.append((step, *_measured(module, made)))
            if watch is not None:
                watch(step, module)
        if step == config.steps:
            break
        loss = functional.cross_entropy(module(input_ids=tokens).logits[:, -1], targets)
        loss.backward()
        for group in optimiser.param_groups:
            group["lr"] = config.lr * min(1.0, (step + 1) / 10)
        optimiser.step()
        optimiser.zero_grad()
    return Grokked(module.requires_grad_(False), *(tuple(column) for column in zip(*rows, strict=True)))


def _measured(module: SmallTransformer, made: Sums) -> tuple[float, float, float, float]:
    with torch.no_grad():
        logits = module(input_ids=made.tokens).logits[:, -1]
    hits = logits.argmax(-1) == made.targets
    losses = functional.cross_entropy(logits, made.targets, reduction="none")
    parts = [x[side].double().mean().item() for x in (hits, losses) for side in (made.train, ~made.train)]
    return parts[0], parts[1], parts[2], parts[3]


def first_above(steps: tuple[int, ...], accuracies: tuple[float, ...], bar: float = 0.99) -> int | None:
    """The first recorded step at which an accuracy is above `bar`; None when it never is."""
    return next((step for step, value in zip(steps, accuracies, strict=True) if value > bar), None)
