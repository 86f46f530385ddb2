"""Sums per document, in float64: what every interval is made of.

    document 7:  sum of squared errors 3.1, tokens 12
    document 9:  sum of squared errors 0.4, tokens  5

A metric is a formula of such sums added over documents, so that a resample of the documents is
again a value of the metric, and so that it cannot matter how tokens were cut into batches.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from monosema.core.findings import bootstrap
from monosema.core.seeding import generator

Formula = Callable[[Tensor], Tensor]
"""Sums [..., n_terms] to values [...]; not a number where the value is undefined."""


@dataclass(frozen=True)
class Estimate:
    """A value with its 95% interval; `n` counts what `unit` says. An exact value has low = high."""

    value: float
    low: float
    high: float
    n: int
    unit: str


@dataclass(frozen=True)
class Terms:
    """What each document adds to each sum of a formula; rows in ascending order of document id."""

    documents: Int64[Tensor, "document"]
    sums: Float64[Tensor, "document term"]
    formula: Formula

    def value(self) -> float:
        """The formula of the sums of all documents."""
        return float(self.formula(self.sums.sum(0)))

    def estimate(self, seed: int) -> Estimate:
        """The formula of all documents, and its interval over resamples of them.

        The resamples depend on `seed` and the number of documents only: every metric and every
        dictionary scored on the same documents is resampled alike.
        """
        value, low, high = bootstrap(self.sums, self.formula, generator(seed, "bootstrap"))
        return Estimate(value, low, high, len(self.documents), "documents")

    def of(self, keep: Int64[Tensor, "kept"]) -> "Terms":
        """The terms of the documents `keep` alone."""
        mask = torch.isin(self.documents, keep)
        return Terms(self.documents[mask], self.sums[mask], self.formula)


def aligned(parts: Sequence[Terms]) -> tuple[Int64[Tensor, "document"], Float64[Tensor, "document term"]]:
    """Every document of any part, and the parts' sums side by side; a document that a part lacks adds 0."""
    documents = torch.cat([part.documents for part in parts]).unique()
    columns = []
    for part in parts:
        sums = torch.zeros(len(documents), part.sums.shape[1], dtype=torch.float64)
        columns.append(sums.index_copy_(0, torch.searchsorted(documents, part.documents), part.sums))
    return documents, torch.cat(columns, 1)


@dataclass(frozen=True)
class Exact:
    """A value without sampling error: a property of weights, or of precisely these tokens."""

    value: float
    n: int
    unit: str

    def estimate(self, seed: int) -> Estimate:  # noqa: ARG002 (the same call as Terms.estimate)
        """The value, with low = high = value."""
        return Estimate(self.value, self.value, self.value, self.n, self.unit)


class Rows:
    """Numbers documents 0, 1, 2... in the order in which they are first seen."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.numbers)

    def of(self, documents: Int64[Tensor, "token"]) -> Int64[Tensor, "token"]:
        """Each token's row number."""
        unique, inverse = documents.unique(return_inverse=True)
        rows = [self.numbers.setdefault(document, len(self.numbers)) for document in unique.tolist()]
        return torch.tensor(rows, dtype=torch.int64)[inverse]

    def ascending(self) -> tuple[Int64[Tensor, "document"], Int64[Tensor, "document"]]:
        """Document ids in ascending order, and the row of each."""
        ids, order = torch.tensor(list(self.numbers), dtype=torch.int64).sort()
        return ids, order


def grown(sums: Tensor, n_rows: int) -> Tensor:
    """`sums` with zero rows appended up to `n_rows`, or as it is when it has as many."""
    if len(sums) >= n_rows:
        return sums
    return torch.cat([sums, sums.new_zeros(n_rows - len(sums), *sums.shape[1:])])


class DocumentSums:
    """Adds up columns of numbers per document."""

    def __init__(self, n_terms: int) -> None:
        self.rows = Rows()
        self.sums = torch.zeros(0, n_terms, dtype=torch.float64)

    def add(self, documents: Int64[Tensor, "token"], *columns: Float[Tensor, "token"]) -> None:
        """Add each token's numbers, one column a term, to its document's sums."""
        rows = self.rows.of(documents.cpu())
        self.sums = grown(self.sums, len(self.rows))
        self.sums.index_add_(0, rows, torch.stack([column.to("cpu", torch.float64) for column in columns], 1))

    def terms(self, formula: Formula) -> Terms:
        """The sums so far, with the formula that makes the metric's value of them."""
        documents, order = self.rows.ascending()
        return Terms(documents, self.sums[order], formula)


class DocumentMoments:
    """Count, mean vector and squared distance to the mean of each document's rows.

    The same update as core.moments (Chan, Golub and LeVeque 1983), for many documents at once; the
    squared distances are added over coordinates.
    """

    def __init__(self) -> None:
        self.rows = Rows()
        self.n = torch.zeros(0, dtype=torch.float64)
        self.mean = torch.zeros(0, 0, dtype=torch.float64)
        self.m2 = torch.zeros(0, dtype=torch.float64)

    def add(self, documents: Int64[Tensor, "token"], x: Float[Tensor, "token d"]) -> None:
        """Take in the rows of `x`."""
        rows, x = self.rows.of(documents.cpu()), x.to("cpu", torch.float64)
        if not len(self.mean):
            self.mean = torch.zeros(0, x.shape[1], dtype=torch.float64)
        self.n, self.mean, self.m2 = (grown(part, len(self.rows)) for part in (self.n, self.mean, self.m2))
        n = torch.bincount(rows, minlength=len(self.rows)).to(torch.float64)
        mean = torch.zeros_like(self.mean).index_add_(0, rows, x) / n.clamp(min=1).unsqueeze(1)
        m2 = torch.zeros_like(self.m2).index_add_(0, rows, (x - mean[rows]).square().sum(1))
        total, delta = (self.n + n).clamp(min=1), mean - self.mean
        self.m2 = self.m2 + m2 + delta.square().sum(1) * self.n * n / total
        self.mean = self.mean + delta * (n / total).unsqueeze(1)
        self.n = self.n + n
