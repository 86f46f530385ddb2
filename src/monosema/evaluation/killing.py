"""Which features a prune study kills, and which documents may choose them.

documents --> choosing half: frequencies, the best threshold
          `-> judging half: every number that is reported
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from monosema.core.errors import DataError
from monosema.core.seeding import generator
from monosema.evaluation.measuring import Prepared, end_to_end
from monosema.evaluation.passes import rows_of, scored_positions
from monosema.evaluation.sparsity import Frequencies
from monosema.evaluation.subjects import Dictionary


@dataclass(frozen=True)
class Halves:
    """Document ids, each in one of two halves of about as many usable tokens."""

    choosing: Int64[Tensor, "choosing"]
    judging: Int64[Tensor, "judging"]


@dataclass(frozen=True)
class Rates:
    """Each feature's firing rate on the two halves."""

    choosing: Float64[Tensor, "n_features"]
    judging: Float64[Tensor, "n_features"]


def split_documents(prepared: Prepared, seed: int) -> Halves:
    """The prepared blocks' documents in two halves: from the longest to the shortest, each to the half
    that has fewer tokens so far; which half chooses is drawn.

    Raises DataError for fewer than four documents: each half needs two for an interval.
    """
    sizes: dict[int, int] = {}
    for blocks in prepared.blocks():
        ids, counts = blocks.documents[blocks.usable].unique(return_counts=True)
        for document, n in zip(ids.tolist(), counts.tolist(), strict=True):
            sizes[document] = sizes.get(document, 0) + n
    if len(sizes) < 4:
        raise DataError(f"a prune study needs at least 4 held-out documents, got {len(sizes)}: half choose, half judge")
    halves: tuple[list[int], list[int]] = ([], [])
    totals = [0, 0]
    for document in sorted(sizes, key=lambda d: (-sizes[d], d)):
        lighter = int(totals[1] < totals[0])
        halves[lighter].append(document)
        totals[lighter] += sizes[document]
    first = int(torch.randint(2, (1,), generator=generator(seed, "prune", "halves")))
    return Halves(torch.tensor(halves[first]).sort().values, torch.tensor(halves[1 - first]).sort().values)


@torch.no_grad()
def find_rates(prepared: Prepared, dictionaries: Mapping[str, Dictionary], halves: Halves) -> dict[str, Rates]:
    """Every dictionary's firing rates on the two halves, from a pass that ends at the last site."""
    model, limits = prepared.model, prepared.constants.limits
    here = {name: dictionary.to(str(model.device)) for name, dictionary in dictionaries.items()}
    counts = {name: (Frequencies(), Frequencies()) for name in here}
    for blocks in prepared.blocks():
        found = model.run(blocks.tokens, read=list(limits))
        scored = scored_positions(found, blocks, limits)
        rows = {site: rows_of(x, scored) for site, x in found.items()}
        choosing = torch.isin(blocks.documents[scored], halves.choosing.to(scored.device))
        for name, dictionary in here.items():
            codes = dictionary.encode(end_to_end(rows, dictionary.reads))
            for frequencies, mask in zip(counts[name], (choosing, ~choosing), strict=True):
                frequencies.add(codes.where(mask[codes.rows()]), int(mask.sum()))
    return {name: Rates(first.rates(), second.rates()) for name, (first, second) in counts.items()}


def kill_above(rates: Float64[Tensor, "n_features"], threshold: float) -> Bool[Tensor, "n_features"]:
    """Features of a rate above the threshold."""
    return rates > threshold


def kill_same_frequency(
    rates: Float64[Tensor, "n_features"], killed: Bool[Tensor, "n_features"], generator: torch.Generator
) -> Bool[Tensor, "n_features"]:
    """Features drawn one after the other from all that ever fire, each killed if the sum of rates
    stays within that of `killed`: it comes as near as the rarest features allow, from below."""
    left = float(rates[killed].sum()) + 1e-12
    alive = (rates > 0).nonzero().squeeze(1)
    drawn = torch.zeros_like(killed)
    for feature in alive[torch.randperm(len(alive), generator=generator)].tolist():
        if (rate := float(rates[feature])) <= left:
            drawn[feature] = True
            left -= rate
    return drawn
