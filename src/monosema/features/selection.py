"""Which features are looked at: equally from every band of frequency, and uniformly for the numbers.

    frequency   1e-5 ..... 1e-4 ..... 1e-3 ..... 1e-2 ..... 1e-1 ..... 1
    features          12       |   140    |   610    |   200    |   9
    shown of 40        8       |    8     |    8     |    8     |   8

A uniform sample would show the commonest band only; the strata say how many each one stands for.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from monosema.core.seeding import generator
from monosema.dictionaries.codes import SparseCodes
from monosema.features.reading import Part
from monosema.features.rows import Stratum

MIN_FIRINGS = 10
"""Features that fire less often are not drawn for `readability`: half of their firings judge nothing."""


class Firings:
    """How often and how strongly each feature fires, over what is given to `update`."""

    def __init__(self, n_features: int) -> None:
        self.n_tokens = 0
        self.documents: set[int] = set()
        self.counts: Int64[Tensor, "n_features"] = torch.zeros(n_features, dtype=torch.int64)
        self.sums: Float64[Tensor, "n_features"] = torch.zeros(n_features, dtype=torch.float64)
        self.largest: Float64[Tensor, "n_features"] = torch.zeros(n_features, dtype=torch.float64)

    def update(self, part: Part, codes: SparseCodes) -> None:
        """Take in the usable positions of some blocks."""
        values = codes.values.double()
        self.n_tokens += len(codes)
        self.documents.update(part.owners.unique().tolist())
        self.counts += codes.counts()
        self.sums.index_add_(0, codes.indices, values)
        self.largest.scatter_reduce_(0, codes.indices, values, "amax")


@dataclass(frozen=True)
class Drawn:
    """The features to show, most frequent first, the bands they come from, and those to score."""

    shown: Int64[Tensor, "shown"]
    strata: tuple[Stratum, ...]
    scored: Int64[Tensor, "scored"]
    n_eligible: int


def draw(firings: Firings, n_shown: int, n_scored: int, seed: int) -> Drawn:
    """The features to show and to score. Dead features are in neither."""
    alive = firings.counts.nonzero().flatten()
    frequency = firings.counts.double() / max(firings.n_tokens, 1)
    decades = frequency[alive].log10().floor().clamp(max=-1).long()
    bands = [(int(d), alive[decades == d]) for d in decades.unique().flip(0)]
    quotas = _quotas([len(members) for _, members in bands], n_shown)
    chosen, strata = [], []
    for (decade, members), quota in zip(bands, quotas, strict=True):
        order = torch.randperm(len(members), generator=generator(seed, "shown", decade))
        chosen.append(members[order[:quota]])
        strata.append(Stratum(10.0**decade, 10.0 ** (decade + 1), len(members), quota))
    shown = torch.cat(chosen) if chosen else alive
    shown = shown.sort().values
    shown = shown[torch.sort(firings.counts[shown], descending=True, stable=True).indices]
    eligible = (firings.counts >= MIN_FIRINGS).nonzero().flatten()
    picked = torch.randperm(len(eligible), generator=generator(seed, "scored"))[:n_scored]
    return Drawn(shown, tuple(strata), eligible[picked].sort().values, len(eligible))


def _quotas(sizes: list[int], total: int) -> list[int]:
    """Equal shares of `total`; what a small band cannot fill goes to the others, one each in turn."""
    quotas = [0] * len(sizes)
    left = min(total, sum(sizes))
    while left:
        for i in sorted(range(len(sizes)), key=lambda i: quotas[i]):
            if left and quotas[i] < sizes[i]:
                quotas[i] += 1
                left -= 1
    return quotas
