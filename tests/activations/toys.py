"""A corpus and a model small enough to know every row of, with the faults that a harvest should find."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

BOS, PAD, CONTEXT, D_VOCAB = 0, 1, 8, 50


@dataclass(frozen=True)
class Blocks:
    tokens: Tensor
    documents: Tensor
    usable: Tensor


class ToyTokens:
    """Documents of 1 to 30 random tokens, each after a BOS, cut into blocks of 8, the last one padded."""

    context, d_vocab = CONTEXT, D_VOCAB

    def __init__(self, n_documents: int = 40, seed: int = 0) -> None:
        g = torch.Generator().manual_seed(seed)
        ids: list[int] = []
        owners: list[int] = []
        for document in range(n_documents):
            length = int(torch.randint(1, 31, (), generator=g))
            ids += [BOS, *torch.randint(2, D_VOCAB, (length,), generator=g).tolist()]
            owners += [document] * (length + 1)
        padding = -len(ids) % CONTEXT
        self.ids = torch.tensor(ids + [PAD] * padding).view(-1, CONTEXT)
        self.owners = torch.tensor(owners + [-1] * padding).view(-1, CONTEXT)
        self.n_blocks = len(self.ids)
        self.fingerprint = f"toy-corpus-{n_documents}-{seed}"
        self.reads = 0

    def blocks(self, start: int, stop: int) -> Blocks:
        self.reads += 1
        ids, owners = self.ids[start:stop], self.owners[start:stop]
        return Blocks(ids, owners, (owners >= 0) & (ids != BOS))

    def document_name(self, i: int) -> str:
        return f"document-{i}"


@dataclass
class ToyModel:
    """Each site is a table looked up by token, plus a table looked up by position.

    `spoil` changes what a site gives; `passes` counts the calls; `after` is called before each.
    """

    name: str = "toy"
    fingerprint: str = "toy-model"
    n_context: int = CONTEXT
    d_vocab: int = D_VOCAB
    spoil: Callable[[str, Tensor, Tensor], Tensor] = lambda _site, _tokens, x: x
    after: Callable[[int], None] = lambda _: None
    passes: int = 0
    shapes: dict[str, tuple[int, ...]] = field(
        default_factory=lambda: {"resid_post.0": (6,), "resid_post.1": (4,), "attn_z.0": (2, 3)}
    )

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def width(self, site: str) -> int:
        return int(torch.tensor(self.shapes[site]).prod())

    def resolve(self, text: str) -> str:
        return {"blocks.0.hook_resid_post": "resid_post.0"}.get(text, text)

    def run(self, tokens: Tensor, read: Sequence[str], *, attention: str = "eager") -> dict[str, Tensor]:
        assert attention in ("eager", "fused")
        self.after(self.passes)
        self.passes += 1
        return {site: self.spoil(site, tokens, self._site(site, tokens)) for site in read}

    def _site(self, site: str, tokens: Tensor) -> Tensor:
        g = torch.Generator().manual_seed(len(site) + int(site[-1]))
        by_token = torch.randn(D_VOCAB, *self.shapes[site], generator=g)
        by_position = torch.randn(CONTEXT, *self.shapes[site], generator=g)
        return by_token[tokens] + by_position


def as_tuples(tokens: Tensor, documents: Tensor, positions: Tensor, x: Tensor) -> list[tuple[float, ...]]:
    """Rows as sorted tuples, so that two sets of rows can be compared bit for bit."""
    columns = torch.stack([tokens, documents, positions], 1)
    return sorted((*index, *values) for index, values in zip(columns.tolist(), x.tolist(), strict=True))
