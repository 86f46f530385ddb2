"""A small language model trained from scratch: from blocks of tokens to a folder that transformers loads.

    seed --> initial weights          block order = one permutation per epoch, from the seed
    for step: batch -> what the family is asked of it -> loss (nats per predicted text token)
              -> gradient, norm <= 1 -> AdamW, warm-up and cosine
    OUT/checkpoint.safetensors        while it trains, every minute and at Ctrl-C
    OUT/config.json, model.safetensors, recipe.json       when it is done; recipe.json is written last

The same call goes on where it was stopped. On the same machine with the same number of threads the
weights are the same, bit for bit, however often it was killed.
"""

import copy
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from monosema.core.config import to_json
from monosema.core.errors import DataError, DivergedError, MismatchError, RunError
from monosema.core.findings import Finding
from monosema.core.interrupts import interruption
from monosema.core.progress import progress
from monosema.core.runs import read_json, write_json
from monosema.core.seeding import generator
from monosema.models import checkpoints
from monosema.models.checkpoints import Training
from monosema.models.families import FAMILIES
from monosema.models.fresh import fresh
from monosema.models.held_out import document_losses, gather, objective_of, unigram
from monosema.models.lm_config import LMConfig, LMFamily, TokenSource
from monosema.models.loading import load
from monosema.models.model import Model
from monosema.models.quiet import quiet, quiet_notices

CURVE_BLOCKS = 32
"""Held-out blocks behind a row of the loss curve."""

FINAL_BLOCKS = 512
"""Held-out blocks behind the loss in recipe.json."""

MAX_GRADIENT_NORM = 1.0
BETAS = (0.9, 0.95)

Log = Callable[..., None]


def train_small(
    tokens: TokenSource,
    held_out: TokenSource,
    config: LMConfig,
    out: Path,
    *,
    log: Log = lambda **_: None,
    device: str = "cpu",
    checkpoint_seconds: float = 60.0,
    family: LMFamily = "gpt2",
) -> Model:
    """A model of `family`, of the size that `config` says, trained on `tokens`, saved in `out` and loaded from there.

    `log` is called with step, loss (mean nats per token since the last row), held_out, unigram (its
    control on the same tokens) and lr, every `eval_every` steps; what came after the last checkpoint
    of a killed training comes again. A finished training of the same
    config and corpora is not repeated; an unfinished one goes on; Ctrl-C writes a checkpoint and
    raises KeyboardInterrupt. Raises DataError (nothing to train on), MismatchError (`out` is of
    another config or corpus), RunError (`out` holds a model made elsewhere), DivergedError (a loss
    that is not finite, with its step).
    """
    _require_data(tokens, held_out)
    settings: Any = to_json(config)
    what = {"config": settings | {"family": family}, "corpus": tokens.fingerprint, "held_out": held_out.fingerprint}
    checkpoint, recipe = out / "checkpoint.safetensors", out / "recipe.json"
    if recipe.exists():
        checkpoints.require_same(recipe, read_json(recipe), what)
        return load(out, device=device)
    if (out / "config.json").exists() and not checkpoint.exists():
        raise RunError(f"{out} holds a model that was not trained here: give a new folder")
    training = _begin(tokens, config, device, family)
    if checkpoint.exists():
        checkpoints.restore(checkpoint, training, what)
    control = unigram(tokens)
    save = _saver(checkpoint, training, what, checkpoint_seconds)
    with progress("training", config.steps) as bar, interruption() as interrupted:
        bar.advance(training.step)
        while training.step < config.steps:
            loss = _step(training, tokens, config)
            if training.step % config.eval_every == 0 or training.step == config.steps:
                _row(training, held_out, control, config, log)
            bar.advance(1, f"loss {loss:.2f}")
            stop = interrupted()
            save(stop or training.step == config.steps)
            if stop:
                raise KeyboardInterrupt(f"stopped after step {training.step}: the same command goes on from there")
    _publish(training.module, out, config)
    model = load(out, device=device)
    loss_on = document_losses(model.module, held_out, control, FINAL_BLOCKS).finding(config.seed)
    write_json(recipe, what | _results(model, tokens, config, loss_on, training.curve))
    for leftover in [checkpoint, *out.glob(f".{checkpoint.name}.*.tmp")]:
        leftover.unlink(missing_ok=True)
    return model


def learning_rate(config: LMConfig, step: int) -> float:
    """The rate of step number `step`, counted from 0: linear to `lr` over the warm-up, then a cosine to zero."""
    warm = config.warmup * config.steps
    if step < warm:
        return config.lr * (step + 1) / (warm + 1)
    return config.lr * 0.5 * (1.0 + math.cos(math.pi * (step - warm) / (config.steps - warm)))


def block_numbers(n_blocks: int, batch_size: int, step: int, seed: int) -> Int64[Tensor, " batch"]:
    """The blocks of step number `step`: the next `batch_size` of an endless row of shuffled epochs."""
    positions = torch.arange(step * batch_size, (step + 1) * batch_size)
    epochs = (positions // n_blocks).unique().tolist()
    orders = torch.cat([_order(n_blocks, seed, epoch) for epoch in epochs])
    return orders[positions - epochs[0] * n_blocks]


@lru_cache(maxsize=2)
def _order(n_blocks: int, seed: int, epoch: int) -> Int64[Tensor, " blocks"]:
    return torch.randperm(n_blocks, generator=generator(seed, "block order", epoch))


def _require_data(tokens: TokenSource, held_out: TokenSource) -> None:
    for name, corpus in (("training", tokens), ("held-out", held_out)):
        if len(corpus) == 0:
            raise DataError(f"the {name} corpus has no blocks: give more text, or a shorter context")
    if (tokens.d_vocab, tokens.context) != (held_out.d_vocab, held_out.context):
        raise MismatchError(
            f"the training corpus has {tokens.d_vocab} tokens and context {tokens.context}, the held-out one "
            f"{held_out.d_vocab} and {held_out.context}: pack both with the same tokenizer and context"
        )


def _begin(tokens: TokenSource, config: LMConfig, device: str, family: LMFamily) -> Training:
    module = fresh(tokens, config, family)
    if not FAMILIES[family].mixer:
        # On the CPU eager attention is the faster of the two in bfloat16.
        module.set_attn_implementation("sdpa" if device.startswith("cuda") else "eager")
    module.to(device).train()
    matrices = [p for p in module.parameters() if p.ndim >= 2]
    vectors = [p for p in module.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return Training(module, torch.optim.AdamW(groups, lr=config.lr, betas=BETAS, fused=True))


def _step(training: Training, tokens: TokenSource, config: LMConfig) -> float:
    """One step of the optimiser; the loss before it. Raises DivergedError when that is not finite."""
    module, optimiser = training.module, training.optimiser
    device = next(module.parameters()).device
    text = gather(tokens, block_numbers(len(tokens), config.batch_size, training.step, config.seed))
    task = objective_of(module)(text, generator(config.seed, "objective", training.step))
    inputs = {name: ids.to(device) for name, ids in task.inputs.items()}
    with quiet_notices(), torch.autocast(device.type, torch.bfloat16, enabled=config.autocast):
        logits = module(**inputs, use_cache=False).logits
    counted = task.counted.to(device)
    loss = (task.losses(logits) * counted).sum() / counted.sum().clamp(min=1)
    value = loss.item()
    if not math.isfinite(value):
        raise DivergedError(
            f"the loss is {value} at step {training.step}: train with a lower lr than {config.lr:g} or a longer warm-up"
        )
    loss.backward()
    torch.nn.utils.clip_grad_norm_(module.parameters(), MAX_GRADIENT_NORM)
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(config, training.step)
    optimiser.step()
    optimiser.zero_grad()
    training.step += 1
    training.losses.append(value)
    return value


def _row(
    training: Training, held_out: TokenSource, control: Float64[Tensor, " d_vocab"], config: LMConfig, log: Log
) -> None:
    seen = document_losses(training.module, held_out, control, CURVE_BLOCKS, config.autocast)
    row: dict[str, int | float] = {
        "step": training.step,
        "loss": sum(training.losses) / len(training.losses),
        "held_out": seen.model,
        "unigram": seen.unigram,
        "lr": learning_rate(config, training.step - 1),
    }
    training.curve.append(row)
    training.losses = []
    log(**row)


def _saver(path: Path, training: Training, what: dict[str, Any], seconds: float) -> Callable[[bool], None]:
    """A function that writes a checkpoint when told to, or when `seconds` have gone since the last one."""
    last = time.monotonic()

    def save(now: bool) -> None:
        nonlocal last
        if now or time.monotonic() - last >= seconds:
            checkpoints.save(path, training, what)
            last = time.monotonic()

    return save


def _publish(module: torch.nn.Module, out: Path, config: LMConfig) -> None:
    """Save the model as transformers does, in the type asked for, file by file under its final name."""
    saving = out / ".saving"
    shutil.rmtree(saving, ignore_errors=True)
    stored: Any = copy.deepcopy(module).to(getattr(torch, config.save_dtype))
    with quiet():
        stored.save_pretrained(saving)
    for file in sorted(saving.iterdir()):
        with file.open("rb") as written:
            os.fsync(written.fileno())
        file.replace(out / file.name)
    saving.rmdir()


def _results(
    model: Model, tokens: TokenSource, config: LMConfig, loss: Finding, curve: list[dict[str, int | float]]
) -> dict[str, Any]:
    finite = {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in asdict(loss).items()}
    return {
        "model": model.fingerprint,
        "n_parameters": sum(p.numel() for p in model.module.parameters()),
        "n_tokens_seen": config.steps * config.batch_size * tokens.context,
        "held_out_loss": finite,
        "curve": curve,
    }
