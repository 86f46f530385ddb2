"""A small transformer trained on a task, and the same on answers that belong to other sequences."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from monosema.core.errors import DivergedError
from monosema.core.seeding import generator
from monosema.models.small_transformer import SmallConfig, SmallTransformer, small_transformer
from monosema.toys.algorithmic.recipes import Recipe
from monosema.toys.algorithmic.tasks import NOT_ASKED, Task

Labels = Literal["true", "shuffled"]
"""shuffled: every sequence is given the targets of the one before it, so that only frequencies can be learnt."""

BETAS = (0.9, 0.98)
N_RECORDS = 60


@dataclass(frozen=True)
class Learnt:
    """A trained module, and the mean loss in nats per answer over each stretch of its training."""

    module: SmallTransformer
    steps: tuple[int, ...]
    losses: tuple[float, ...]


def untrained(task: Task, recipe: Recipe, seed: int = 0) -> SmallTransformer:
    """The model that training starts from."""
    d_head = recipe.d_model // recipe.n_heads
    return small_transformer(
        SmallConfig(
            d_vocab=task.d_vocab,
            d_vocab_out=task.d_vocab,
            n_context=task.length,
            n_layers=recipe.n_layers,
            d_model=recipe.d_model,
            n_heads=recipe.n_heads,
            d_head=d_head,
            d_mlp=recipe.d_mlp,
            attn_scale=d_head**0.5,
        ),
        seed,
    )


def learn(task: Task, recipe: Recipe, labels: Labels = "true", seed: int = 0) -> Learnt:
    """Train on fresh sequences at every step. The same call gives the same weights. Raises DivergedError."""
    module = untrained(task, recipe, seed).train()
    optimiser = torch.optim.AdamW(module.parameters(), recipe.lr, BETAS, weight_decay=recipe.weight_decay, fused=True)
    draws = generator(seed, "train", task.name)
    every = max(1, recipe.steps // N_RECORDS)
    steps, losses, recent = [], [], []
    for step in range(recipe.steps):
        tokens = task.draw(recipe.batch_size, draws)
        targets = task.solve(tokens)
        if labels == "shuffled":
            # Not a random permutation: of 64 it leaves one in its place, and that is enough to tip near ties.
            targets = targets.roll(1, 0)
        loss = answer_loss(module(input_ids=tokens).logits, targets)
        recent.append(loss.item())
        if not math.isfinite(recent[-1]):
            raise DivergedError(f"the loss on {task.name} is {recent[-1]} at step {step}: train with a lower lr")
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        for group in optimiser.param_groups:
            group["lr"] = recipe.lr * schedule(step, recipe.steps)
        optimiser.step()
        optimiser.zero_grad()
        if (step + 1) % every == 0 or step + 1 == recipe.steps:
            steps.append(step + 1)
            losses.append(sum(recent) / len(recent))
            recent = []
    return Learnt(module.eval().requires_grad_(False), tuple(steps), tuple(losses))


def answer_loss(logits: Float[Tensor, "n seq d_vocab"], targets: Int64[Tensor, "n seq"]) -> Float[Tensor, ""]:
    """Mean cross-entropy over the positions asked, in nats."""
    return functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=NOT_ASKED)


def schedule(step: int, steps: int) -> float:
    """The share of the learning rate at a step, counted from 0."""
    warm = steps / 20
    if step < warm:
        return (step + 1) / (warm + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))
