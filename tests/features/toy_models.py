"""Models whose losses can be worked out by hand, in the shape that the effects ask for.

Two layers over a residual stream of width d. Layer 0 does nothing, layer 1 adds the mean of all that
came before (an attention that looks everywhere equally):

    resid_post.0 = E[token]        resid_post.1 = resid_post.0 + mix * (mean of resid_post.0 so far)
    logits = resid_post.1 @ U      or, when `linear`, two log-probabilities: (u . R, log(1 - exp(u . R)))
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from monosema.dictionaries import ARCHITECTURES, Dictionary
from monosema.dictionaries.weights import Weights


@dataclass
class Mixing:
    """`n_tokens` counts the tokens of every pass."""

    E: Tensor
    U: Tensor
    mix: float = 0.0
    linear: bool = False
    name: str = "mixing"
    fingerprint: str = "a11"
    n_layers: int = 2
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    n_tokens: int = 0

    @property
    def n_context(self) -> int:
        return 1000

    @property
    def d_vocab(self) -> int:
        return len(self.E)

    def width(self, site: str) -> int:  # noqa: ARG002
        return self.E.shape[1]

    def run(self, tokens: Tensor, read: Sequence[str], edits=()) -> dict[str, Tensor]:
        self.n_tokens += tokens.numel()

        def edited(site: str, x: Tensor) -> Tensor:
            for edit in edits:
                x = edit.apply(x.clone()) if edit.site == site else x
            return x

        found = {"resid_post.0": edited("resid_post.0", self.E[tokens])}
        found["resid_pre.1"] = edited("resid_pre.1", found["resid_post.0"])
        so_far = torch.arange(1, tokens.shape[1] + 1).unsqueeze(1)
        found["attn_out.1"] = edited("attn_out.1", self.mix * found["resid_pre.1"].cumsum(1) / so_far)
        found["resid_post.1"] = edited("resid_post.1", found["resid_pre.1"] + found["attn_out.1"])
        return {site: found[site] for site in read}

    def unembed(self, resid: Tensor) -> Tensor:
        logits = resid @ self.U
        if not self.linear:
            return logits
        first = logits[..., :1]
        return torch.cat([first, torch.log1p(-first.exp())], -1)

    def logit_weights(self) -> Tensor:
        return self.U


@dataclass(frozen=True)
class Blocks:
    tokens: Tensor
    documents: Tensor
    usable: Tensor


def blocks_of(tokens: Tensor, documents: Tensor | None = None) -> Blocks:
    """Blocks that begin with a BOS (whatever its id); one document each unless `documents` says otherwise."""
    own = torch.arange(len(tokens)).unsqueeze(1).expand_as(tokens) if documents is None else documents
    usable = own >= 0
    usable[:, 0] = False
    return Blocks(tokens, own.clone(), usable)


class Texts:
    """Blocks as a corpus."""

    def __init__(self, blocks: Blocks, d_vocab: int, fingerprint: str = "7e87") -> None:
        self.held, self.d_vocab, self.fingerprint = blocks, d_vocab, fingerprint
        self.n_blocks, self.context = blocks.tokens.shape

    def blocks(self, start: int, stop: int) -> Blocks:
        held = self.held
        return Blocks(held.tokens[start:stop], held.documents[start:stop], held.usable[start:stop])

    def document_name(self, i: int) -> str:
        return f"document {i}"


class Numbered:
    """A tokenizer whose tokens are written as their numbers, with a space in front."""

    vocab_size = 1000

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[int(word) for word in text.split() if word.isdigit()] or [1] for text in texts]

    def token_texts(self, ids: Sequence[int]) -> list[str]:
        return [f" {i}" for i in ids]


def dictionary_of(
    encoder: Tensor,
    decoder: Tensor,
    reads: Sequence[str] = ("resid_post.0",),
    writes: Sequence[str] | None = None,
    architecture: str = "l1",
    **config: object,
) -> Dictionary:
    """f = relu(x W_enc^T), or as `architecture` has it; without biases."""
    rule, example = ARCHITECTURES[architecture]
    writes = tuple(reads) if writes is None else tuple(writes)
    chosen = replace(example, n_features=len(encoder), **config)
    n, d_in, d_out = len(encoder), encoder.shape[1], decoder.shape[1]
    weights = Weights(encoder, decoder, torch.zeros(n), torch.zeros(d_out), False, rule(chosen).extra(n))
    return Dictionary(
        architecture,
        rule(chosen),
        weights,
        tuple(reads),
        writes,
        (d_in // len(reads),) * len(reads),
        (d_out // len(writes),) * len(writes),
        torch.ones(n, dtype=torch.bool),
    )
