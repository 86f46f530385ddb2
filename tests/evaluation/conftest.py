"""Stand-ins that are small enough to be worked out by hand.

The model has two tokens in its vocabulary and four sites that add up:

    embed.(token) = mlp_in.0     mlp_out.0 = mlp_in.0 @ M     resid_post.0 = mlp_in.0 + mlp_out.0
    logits = resid_post.0 @ U
"""

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from monosema.dictionaries.codes import SparseCodes
from monosema.evaluation.batch import Predictions, ScoreBatch


@dataclass
class LinearModel:
    """`n_runs` counts forward passes."""

    E: Tensor
    M: Tensor
    U: Tensor
    name: str = "linear"
    n_context: int = 64
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    n_runs: int = 0

    @property
    def d_vocab(self) -> int:
        return self.U.shape[1]

    def width(self, site: str) -> int:
        return {"mlp_in.0": len(self.M), "mlp_out.0": self.M.shape[1], "resid_post.0": len(self.U)}[site]

    def run(self, tokens: Tensor, read=(), edits=()) -> dict[str, Tensor]:
        self.n_runs += 1

        def edited(site: str, x: Tensor) -> Tensor:
            for edit in edits:
                x = edit.apply(x.clone()) if edit.site == site else x
            return x

        found = {"mlp_in.0": edited("mlp_in.0", self.E[tokens])}
        found["mlp_out.0"] = edited("mlp_out.0", found["mlp_in.0"] @ self.M)
        found["resid_post.0"] = edited("resid_post.0", found["mlp_in.0"] + found["mlp_out.0"])
        found["logits"] = found["resid_post.0"] @ self.U
        return {site: found[site] for site in read}


@dataclass
class HeldOut:
    """Tokens, documents and usable positions as three matrices."""

    tokens: Tensor
    documents: Tensor
    usable: Tensor
    d_vocab: int = 2

    @property
    def context(self) -> int:
        return self.tokens.shape[1]

    @property
    def n_blocks(self) -> int:
        return len(self.tokens)

    def blocks(self, start: int, stop: int) -> SimpleNamespace:
        parts = {"tokens": self.tokens, "documents": self.documents, "usable": self.usable}
        return SimpleNamespace(**{name: part[start:stop] for name, part in parts.items()})


@dataclass
class ReluDictionary:
    """f = relu(x W_enc^T), y = f W_dec + b_dec; a pruned feature's code is left out."""

    W_enc: Tensor
    W_dec: Tensor
    b_dec: Tensor
    reads: tuple[str, ...] = ("resid_post.0",)
    writes: tuple[str, ...] = ("resid_post.0",)
    widths_in: tuple[int, ...] = ()
    widths_out: tuple[int, ...] = ()
    architecture: str = "relu"
    keep: Tensor = field(default_factory=lambda: torch.ones(0, dtype=torch.bool))

    def __post_init__(self) -> None:
        self.widths_in = self.widths_in or (self.W_enc.shape[1],)
        self.widths_out = self.widths_out or (self.W_dec.shape[1],)
        self.keep = self.keep if len(self.keep) else torch.ones(len(self.W_enc), dtype=torch.bool)

    def encode(self, x: Tensor) -> SparseCodes:
        return SparseCodes.from_dense(torch.relu(x @ self.W_enc.T)).keep(self.keep)

    def decode(self, codes: SparseCodes) -> Tensor:
        return codes.dense() @ self.W_dec + self.b_dec

    def pruned(self, keep: Tensor) -> "ReluDictionary":
        rest = (self.reads, self.writes, self.widths_in, self.widths_out, self.architecture)
        return ReluDictionary(self.W_enc, self.W_dec, self.b_dec, *rest, keep=self.keep & keep)

    def to(self, device: str) -> "ReluDictionary":  # noqa: ARG002
        return self


def identity(d: int = 2, **sites) -> ReluDictionary:
    """One feature for each sign of each coordinate: writes exactly what it reads."""
    both = torch.cat([torch.eye(d), -torch.eye(d)])
    return ReluDictionary(both, both, torch.zeros(d), **sites)


def constant(value: Tensor) -> ReluDictionary:
    """No feature ever fires: always writes `value`."""
    return ReluDictionary(torch.zeros(1, len(value)), torch.zeros(1, len(value)), value)


def alternating() -> LinearModel:
    """p(the other token) = 3/4: loss ln(4/3) on 0 1 0 1..., ln 2 when its residual stream is zero.

    The residual stream of token 0 is (1, 0), that of token 1 is (0, 1).
    """
    a = float(torch.tensor(3.0).log())
    return LinearModel(0.5 * torch.eye(2), torch.eye(2), torch.tensor([[0.0, a], [a, 0.0]]))


def held_out(*documents_of_blocks: str) -> HeldOut:
    """Blocks written as text: a letter is a usable token of that document (upper case: token 1,
    lower case: token 0), '^' the BOS of what follows it, '.' padding."""
    rows = []
    for text in documents_of_blocks:
        following = [next((c for c in text[i:] if c.isalpha()), "a") if c == "^" else c for i, c in enumerate(text)]
        ids = [-1 if c == "." else ord(c.lower()) - ord("a") for c in following]
        rows.append(([int(c.isupper()) for c in text], ids, [c.isalpha() for c in text]))
    tokens, documents, usable = (torch.tensor(part) for part in zip(*rows, strict=True))
    return HeldOut(tokens, documents, usable)


def batches(x: Tensor, y: Tensor, splits=None, documents=None, codes=None, predictions=None, decoder=None):
    """ScoreBatches of a target and its reconstruction, cut at `splits`."""
    splits = list(splits or [len(x)])
    documents = torch.zeros(len(x), dtype=torch.int64) if documents is None else documents
    codes = torch.ones(len(x), 1) if codes is None else codes
    decoder = torch.eye(codes.shape[1], x.shape[1]) if decoder is None else decoder
    columns = (
        [None] * len(splits)
        if predictions is None
        else [Predictions(*p) for p in zip(*(c.split(splits) for c in predictions), strict=True)]
    )
    parts = zip(documents.split(splits), x.split(splits), y.split(splits), codes.split(splits), columns, strict=True)
    return [ScoreBatch(d, a, b, SparseCodes.from_dense(f), decoder, p) for d, a, b, f, p in parts]


@pytest.fixture
def toy() -> SimpleNamespace:
    return SimpleNamespace(
        LinearModel=LinearModel,
        ReluDictionary=ReluDictionary,
        alternating=alternating,
        batches=batches,
        constant=constant,
        held_out=held_out,
        identity=identity,
    )
