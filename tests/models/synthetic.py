"""A corpus small enough to know: counting modulo a number, one document a block."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class CountingBlocks:
    tokens: torch.Tensor
    documents: torch.Tensor
    usable: torch.Tensor


class Counting:
    """Blocks `BOS a a+1 a+2 ... PAD PAD` over tokens 2..d_vocab-1, cyclically; 0 is BOS, `pad` fills up.

    After the first text token everything is predictable; token frequencies alone say log(d_vocab - 2).
    """

    def __init__(
        self, n_blocks: int, context: int = 12, d_vocab: int = 12, pad: int = 1, name: str = "counting"
    ) -> None:
        self.context, self.d_vocab, self.bos = context, d_vocab, 0
        self.fingerprint = f"{name} {n_blocks}"
        n = d_vocab - 2
        starts = torch.arange(n_blocks)[:, None] * 3
        self.tokens = 2 + (starts + torch.arange(context)) % n
        self.tokens[:, 0] = 0
        self.tokens[:, -2:] = pad

    def __len__(self) -> int:
        return len(self.tokens)

    def blocks(self, start: int, stop: int) -> CountingBlocks:
        tokens = self.tokens[start:stop]
        documents = torch.arange(start, stop)[:, None].expand_as(tokens).clone()
        usable = torch.ones_like(tokens, dtype=torch.bool)
        usable[:, 0] = usable[:, -2:] = False
        documents[:, -2:] = -1
        return CountingBlocks(tokens, documents, usable)
