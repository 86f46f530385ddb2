"""A model and a dictionary whose activations cost next to nothing, so that a table of ten million tokens can be built.

    resid_post.0 = E[token] + E[the token before] / 2     resid_post.1 = resid_post.0 + (its mean so far) / 2
    logits = resid_post.1 @ U                             which k features fire is a hash of resid_post.0

What a feature table is made of is all there: k activations at every token, some features frequent and most rare,
gradients, losses with and without a feature. Only what a real model and a real encoder compute is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from monosema.core.seeding import generator
from monosema.dictionaries.codes import SparseCodes
from monosema.features.mixing import mixed

READ, LAST = "resid_post.0", "resid_post.1"
D_MODEL, D_VOCAB, CONTEXT = 16, 1024, 128
SKEW = 3
"""Feature i of n that exclude one another fires with a chance of ((i + 1) / n)^(1/SKEW) - (i / n)^(1/SKEW)."""


class StandInModel:
    """What `features.build` asks of a model."""

    name, fingerprint = "stand-in", "stand-in"
    n_layers, n_context, d_vocab = 2, CONTEXT, D_VOCAB
    device = torch.device("cpu")

    def __init__(self) -> None:
        self.E = torch.randn(D_VOCAB, D_MODEL, generator=generator(0, "E"))
        self.U = torch.randn(D_MODEL, D_VOCAB, generator=generator(0, "U")) / 2

    def width(self, site: str) -> int:
        assert site in (READ, LAST)
        return D_MODEL

    def run(self, tokens: Tensor, read: Sequence[str], edits: Sequence = ()) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        x = self.E[tokens]
        x = x + x.roll(1, 1) / 2
        found[READ] = x = _edited(READ, x, edits)
        so_far = torch.arange(1, tokens.shape[1] + 1).unsqueeze(1)
        found[LAST] = _edited(LAST, x + x.cumsum(1) / so_far / 2, edits)
        return {site: found[site] for site in read}

    def unembed(self, resid: Tensor) -> Tensor:
        return resid @ self.U

    def logit_weights(self) -> Tensor:
        return self.U


def _edited(site: str, x: Tensor, edits: Sequence) -> Tensor:
    for edit in edits:
        x = edit.apply(x) if edit.site == site else x
    return x


class StandInDictionary:
    """What `features.build` asks of a dictionary: n_features of which k fire at each token."""

    architecture, fingerprint = "stand-in", "stand-in"
    reads = writes = (READ,)
    widths_in = widths_out = (D_MODEL,)
    d_in = d_out = D_MODEL
    is_autoencoder = True

    def __init__(self, n_features: int, k: int) -> None:
        self.n_features, self.k = n_features, k
        self.W_dec = torch.randn(n_features, D_MODEL, generator=generator(0, "W_dec")) / D_MODEL**0.5
        self.W_enc = torch.randn(n_features, D_MODEL, generator=generator(0, "W_enc"))

    def encode(self, x: Tensor) -> SparseCodes:
        """Features j, j + k, j + 2k, ... exclude one another; one of them fires, for every j below k."""
        keys = x[:, :2].contiguous().view(torch.int64)
        drawn = mixed(keys + torch.arange(self.k), 1)
        share, size = (drawn % 2**24).float() / 2**24, (drawn // 2**24 % 2**12).float() / 2**12
        per_slot = self.n_features // self.k
        which = (share**SKEW * per_slot).long().clamp(max=per_slot - 1) * self.k + torch.arange(self.k)
        offsets = torch.arange(len(x) + 1) * self.k
        return SparseCodes(which.flatten(), (0.1 - (size * 0.999 + 0.001).log()).flatten(), offsets, self.n_features)


@dataclass(frozen=True)
class Blocks:
    tokens: Tensor
    documents: Tensor
    usable: Tensor


class StandInText:
    """Tokens by the law of Zipf in documents of four blocks, each of which begins with a BOS."""

    context, d_vocab = CONTEXT, D_VOCAB

    def __init__(self, n_tokens: int) -> None:
        self.n_blocks = max(8, n_tokens // CONTEXT)
        self.fingerprint = f"stand-in {self.n_blocks}"
        odds = 1 / (torch.arange(D_VOCAB) + 3.0)
        draws = torch.rand(self.n_blocks * CONTEXT, generator=generator(0, "text"))
        ids = torch.searchsorted(odds.cumsum(0) / odds.sum(), draws).clamp(max=D_VOCAB - 1)
        self.ids = ids.view(self.n_blocks, CONTEXT).int()
        self.ids[:, 0] = 0

    def blocks(self, start: int, stop: int) -> Blocks:
        ids = self.ids[start:stop].long()
        documents = (torch.arange(start, start + len(ids)) // 4)[:, None].expand(ids.shape).clone()
        usable = torch.ones(ids.shape, dtype=torch.bool)
        usable[:, 0] = False
        return Blocks(ids, documents, usable)

    def document_name(self, i: int) -> str:
        return f"document {i}"


class StandInTokenizer:
    """Token 7 reads ' w7'."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[int(word[1:]) for word in text.split() if word[1:].isdigit()] or [1] for text in texts]

    def token_texts(self, ids: Sequence[int]) -> list[str]:
        return [f" w{i}" for i in ids]
