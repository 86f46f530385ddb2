"""Two layers of attention alone, trained to repeat: r_1 .. r_n r_1 .. r_n, the loss on the second half.

Each batch draws its own length n, so that position alone cannot say what to copy: a head must look for the token. A
Llama whose MLPs are zero and stay so. Its positions are rotary: where the stream holds positions, as GPT-2's does, two
layers also learned to repeat without any head that looks at the token before.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from monosema.core.config import require, require_range
from monosema.core.errors import DivergedError
from monosema.core.seeding import derive, generator

THETA = 1000.0
"""The base of the rotary embedding; fit for sequences of some tens of tokens."""


@dataclass(frozen=True)
class InductionConfig:
    """A model and its training.

    longest    tokens before the repetition begins, at most; each batch draws between half of it and all of it
    steps      of AdamW, on `batch_size` sequences each; the learning rate warms up, then falls to zero by a cosine
    """

    d_vocab: int = 40
    longest: int = 20
    d_model: int = 64
    n_heads: int = 2
    n_layers: int = 2
    steps: int = 800
    batch_size: int = 64
    lr: float = 4e-3
    seed: int = 0

    def __post_init__(self) -> None:
        require_range("longest", self.longest, 4)
        require_range("steps", self.steps, 1)
        require_range("lr", self.lr, 0.0, open_low=True)
        require(self.d_vocab >= self.longest, f"d_vocab {self.d_vocab} is less than longest {self.longest}")
        require(self.d_model % self.n_heads == 0, f"d_model {self.d_model} is not a multiple of n_heads {self.n_heads}")


@dataclass(frozen=True)
class InductionModel:
    """The trained module, and the loss in nats per repeated token at some steps."""

    module: nn.Module
    steps: tuple[int, ...]
    losses: tuple[float, ...]


def untrained(config: InductionConfig) -> nn.Module:
    """What the training starts from."""
    from transformers import LlamaConfig, LlamaForCausalLM

    settings = LlamaConfig(
        vocab_size=config.d_vocab,
        hidden_size=config.d_model,
        intermediate_size=1,
        num_hidden_layers=config.n_layers,
        num_attention_heads=config.n_heads,
        num_key_value_heads=config.n_heads,
        max_position_embeddings=2 * config.longest,
        rope_parameters={"rope_type": "default", "rope_theta": THETA},
        initializer_range=0.8 / config.d_model**0.5,
        bos_token_id=None,
        eos_token_id=None,
        use_cache=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(config.seed, "induction"))
        module = LlamaForCausalLM(settings)
    for name, parameter in module.named_parameters():
        if ".mlp." in name:
            parameter.data.zero_()
            parameter.requires_grad_(False)
    return module


def train_induction(config: InductionConfig) -> InductionModel:
    """Train; the same config gives the same weights with the same number of threads. Raises DivergedError."""
    module = untrained(config).train()
    learns = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(learns, config.lr, (0.9, 0.98), weight_decay=0.1, fused=True)
    draws = generator(config.seed, "induction")
    steps, losses = [], []
    for step in range(config.steps):
        n = int(torch.randint(config.longest // 2, config.longest + 1, (1,), generator=draws))
        loss = _repetition_loss(module, _sequences(config, n, draws), n)
        if not math.isfinite(loss.item()):
            raise DivergedError(f"the loss on repeated tokens is {loss.item()} at step {step}: train with a lower lr")
        loss.backward()
        nn.utils.clip_grad_norm_(learns, 1.0)
        for group in optimiser.param_groups:
            group["lr"] = config.lr * _schedule(step, config.steps)
        optimiser.step()
        optimiser.zero_grad()
        if step % max(1, config.steps // 50) == 0 or step + 1 == config.steps:
            steps.append(step)
            losses.append(loss.item())
    return InductionModel(module.eval().requires_grad_(False), tuple(steps), tuple(losses))


def _sequences(config: InductionConfig, n: int, draws: torch.Generator) -> Int64[Tensor, "batch token"]:
    rows = torch.rand(config.batch_size, config.d_vocab, generator=draws).argsort(1)[:, :n]
    return torch.cat([rows, rows], 1)


def _repetition_loss(module: nn.Module, tokens: Int64[Tensor, "batch token"], n: int) -> Float[Tensor, ""]:
    logits = module(input_ids=tokens).logits[:, n:-1]
    return functional.cross_entropy(logits.flatten(0, 1), tokens[:, n + 1 :].flatten())


def _schedule(step: int, steps: int) -> float:
    warm = max(1.0, steps / 20)
    return min(1.0, (step + 1) / warm) * 0.5 * (1 + math.cos(math.pi * step / steps))
