"""A corpus, a model and a dictionary whose every activation can be read off the text.

text       one character a token; '^' is BOS, '.' padding; a letter's id is its place in VOCABULARY
model      'resid_post.0' at a token is its one-hot, times (1 + position in the block / 100)
dictionary feature f fires where `fires[f]` has the character, with that weight
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from monosema.dictionaries.codes import SparseCodes

VOCABULARY = "^.abcdefghijklmnopqrstuvwxyz"
SITE = "resid_post.0"


class Letters:
    """A tokenizer of one character a token."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[VOCABULARY.index(c) for c in text] for text in texts]

    def token_texts(self, ids: Sequence[int]) -> list[str]:
        return [VOCABULARY[i] for i in ids]


@dataclass(frozen=True)
class Blocks:
    tokens: Tensor
    documents: Tensor
    usable: Tensor


class Corpus:
    """Blocks of text; a '^' begins a document, in a block or at its start, unless `continues`."""

    def __init__(self, *texts: str, continues: frozenset[int] = frozenset()) -> None:
        self.context, self.n_blocks, self.d_vocab, self.fingerprint = (
            len(texts[0]),
            len(texts),
            len(VOCABULARY),
            "c0ffee",
        )
        self.texts = texts
        document, self.documents = -1, []
        for i, text in enumerate(texts):
            row = []
            for position, c in enumerate(text):
                document += c == "^" and not (position == 0 and i in continues)
                row.append(-1 if c == "." else document)
            self.documents.append(row)

    def blocks(self, start: int, stop: int) -> Blocks:
        tokens = torch.tensor(Letters().encode(self.texts[start:stop]))
        documents = torch.tensor(self.documents[start:stop])
        return Blocks(tokens, documents, (documents >= 0) & (tokens != 0))

    def document_name(self, i: int) -> str:
        return f"document {i}"


class OneHot:
    """A model whose activation is the token's one-hot, growing with the position."""

    name, fingerprint, d_vocab = "one-hot", "0ddba11", len(VOCABULARY)

    def run(self, tokens: Tensor, read: Sequence[str]) -> dict[str, Tensor]:
        scale = 1 + torch.arange(tokens.shape[1]) / 100
        x = torch.nn.functional.one_hot(tokens, len(VOCABULARY)).float() * scale.unsqueeze(1)
        return dict.fromkeys(read, x)

    def logit_weights(self) -> Tensor:
        return torch.eye(len(VOCABULARY))


@dataclass
class Detecting:
    """A dictionary: feature f fires on the characters of `fires[f]`, with their weights."""

    fires: Sequence[Mapping[str, float]]
    reads: tuple[str, ...] = (SITE,)
    writes: tuple[str, ...] = (SITE,)
    d_in: int = len(VOCABULARY)
    fingerprint: str = "d1c7"
    n_features: int = field(init=False)
    W_dec: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.n_features = len(self.fires)
        self.W_dec = torch.zeros(self.n_features, len(VOCABULARY))
        for f, weights in enumerate(self.fires):
            for c, weight in weights.items():
                self.W_dec[f, VOCABULARY.index(c)] = weight

    def encode(self, x: Tensor) -> SparseCodes:
        return SparseCodes.from_dense(torch.relu(x @ self.W_dec.T))
