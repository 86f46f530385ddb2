"""TF-IDF of windows and of explanations: what a bag of words knows.

term     a token's text, without the space around it and without capitals; white space is a term of its own
weight   (1 + ln n) * (ln((1 + N) / (1 + N_term)) + 1)        n times in the window, N windows that explain
vector   of length 1; 0 for a text without a known term
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int64
from scipy.sparse import csr_matrix
from torch import Tensor

from monosema.features.explaining.windows import Windows

_PIECES = re.compile(r"\w+|\s+|[^\w\s]")


def term(text: str) -> str:
    """The term that a token's text is."""
    return text.strip().lower() or text


class Vectors:
    """The vectors of all windows; `words` are the texts of the tokens."""

    def __init__(self, windows: Windows, words: Sequence[str]) -> None:
        named = [term(word) for word in words]
        self.terms = sorted(set(named))
        self.number = {name: i for i, name in enumerate(self.terms)}
        self.of_token = np.array([self.number[name] for name in named])
        places, owner = windows.places(torch.arange(len(windows)))
        column = self.of_token[windows.tokens(places).numpy()]
        ones, shape = np.ones(len(column)), (len(windows), len(self.terms))
        counts = csr_matrix((ones, (owner.numpy(), column)), shape=shape)
        counts.sum_duplicates()
        counts.data = 1 + np.log(counts.data)
        explains = (~windows.judging).numpy()
        with_it = np.bincount(counts[explains].indices, minlength=len(self.terms))
        self.weights = np.log((1 + explains.sum()) / (1 + with_it)) + 1
        weighted = counts.multiply(self.weights).tocsr()
        norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(1)).ravel())
        self.rows = csr_matrix(weighted.multiply(1 / np.maximum(norms, 1e-300)[:, None]))

    def of_terms(self, terms: Sequence[str]) -> Float[Tensor, "term"]:
        """The vector of some terms; those that no token has are left out."""
        vector = np.zeros(len(self.terms))
        for name, n in Counter(terms).items():
            if name in self.number:
                vector[self.number[name]] = (1 + np.log(n)) * self.weights[self.number[name]]
        norm = np.linalg.norm(vector)
        return torch.from_numpy(vector / norm if norm else vector)

    def of_text(self, text: str) -> Float[Tensor, "term"]:
        """The vector of a sentence, by its words and signs."""
        return self.of_terms([term(piece) for piece in _PIECES.findall(text) if not piece.isspace()])

    def likeness(self, vector: Float[Tensor, "term"], windows: Int64[Tensor, "window"]) -> Float[Tensor, "window"]:
        """The product of a vector with those of some windows."""
        return torch.from_numpy(self.rows[windows.numpy()] @ vector.numpy())

    def mean(self, windows: Int64[Tensor, "window"]) -> Float[Tensor, "term"]:
        """The mean of the vectors of some windows."""
        return torch.from_numpy(np.asarray(self.rows[windows.numpy()].mean(0)).ravel())

    def odd_one(self, windows: Int64[Tensor, "window"]) -> int:
        """Which of some windows is least like the others on the whole; the first of equals."""
        rows = self.rows[windows.numpy()]
        alike = (rows @ rows.T).toarray()
        return int((alike.sum(1) - alike.diagonal()).argmin())
