"""How a small language model is trained: the settings, and what the training needs of a corpus. No torch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from monosema.core.config import require, require_range

if TYPE_CHECKING:
    from torch import Tensor

LMFamily = Literal["gpt2", "bert", "t5", "mamba"]
"""What can be trained, and what it learns to say: gpt2 and mamba the next token, bert masked tokens, t5 (an encoder and
a decoder) the spans cut out of a text."""


@dataclass(frozen=True)
class LMConfig:
    """The size of a small language model and its training. Vocabulary and context length are the corpus's.

    n_layers            of each stack, in an encoder-decoder
    n_heads             of no use to a model without attention
    steps, batch_size   optimiser steps, and blocks of the corpus in each
    lr                  peak learning rate; reached after `warmup` * steps, then a cosine down to zero
    weight_decay        of AdamW, on matrices only
    eval_every          steps between two rows of the loss curve
    autocast            matrix products in bfloat16: about twice as fast where the CPU or GPU has it
    save_dtype          type of the weights on disk; bfloat16 halves the file
    """

    n_layers: int = 4
    d_model: int = 128
    n_heads: int = 4
    steps: int = 1000
    batch_size: int = 32
    lr: float = 2e-3
    warmup: float = 0.05
    weight_decay: float = 0.1
    eval_every: int = 100
    autocast: bool = False
    save_dtype: Literal["float32", "bfloat16"] = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n_layers", "d_model", "n_heads", "steps", "batch_size", "eval_every"):
            require_range(name, getattr(self, name), 1)
        divides = self.d_model % self.n_heads == 0
        require(divides, f"d_model {self.d_model} is not a multiple of n_heads {self.n_heads}")
        require_range("lr", self.lr, 0.0, open_low=True)
        require_range("warmup", self.warmup, 0.0, 1.0)
        require_range("weight_decay", self.weight_decay, 0.0)


@runtime_checkable
class Blocks(Protocol):
    """Blocks of a corpus as tensors [batch, seq]: token ids, document numbers (-1 at padding), and
    whether a token is text (neither BOS nor padding), so that its prediction counts."""

    @property
    def tokens(self) -> "Tensor": ...
    @property
    def documents(self) -> "Tensor": ...
    @property
    def usable(self) -> "Tensor": ...


@runtime_checkable
class TokenSource(Protocol):
    """A corpus cut into `len()` blocks of `context` tokens; `monosema.corpus.Tokens` is one."""

    @property
    def context(self) -> int: ...
    @property
    def d_vocab(self) -> int: ...
    @property
    def bos(self) -> int | None: ...
    @property
    def fingerprint(self) -> str: ...
    def __len__(self) -> int: ...
    def blocks(self, start: int, stop: int) -> Blocks: ...
