"""The best `k` places of a feature in one pass over the corpus, with the activations around them.

What is best is a key: an activation (the top contexts), or a random number of the place (a uniform
sample, see `mixing`). Of equal keys the earlier place wins, so that nothing depends on batches.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, Num
from torch import Tensor


@dataclass(frozen=True)
class Kept:
    """A place (block * context + position), its key and document, and the activations around it,
    not a number where none was computed."""

    key: int | float
    place: int
    document: int
    window: Float[Tensor, "width"]


class Reservoir:
    """Keeps the `k` places with the largest keys. With `one_per_document` a document counts once, by
    its best place."""

    def __init__(self, k: int, *, one_per_document: bool = False) -> None:
        self.k, self.one_per_document = k, one_per_document
        self.kept: list[Kept] = []

    def offer(
        self,
        keys: Num[Tensor, "candidate"],
        places: Int64[Tensor, "candidate"],
        documents: Int64[Tensor, "candidate"],
        window: Callable[[int], Float[Tensor, "width"]],
    ) -> None:
        """Take in candidates, in ascending order of place; `window(i)` is asked only for those kept."""
        if self.k == 0:
            return
        worst = self.kept[-1].key if len(self.kept) == self.k else None
        able = torch.arange(len(keys)) if worst is None else (keys > worst).nonzero().flatten()
        order = able[keys[able].sort(descending=True, stable=True).indices]
        if self.one_per_document:
            order = order[_first_of_each(documents[order])]
        fresh = [Kept(keys[i].item(), int(places[i]), int(documents[i]), window(i)) for i in order[: self.k].tolist()]
        if fresh:
            self.kept = self._best(self.kept + fresh)

    def _best(self, entries: list[Kept]) -> list[Kept]:
        entries = sorted(entries, key=lambda entry: (-entry.key, entry.place))
        if self.one_per_document:
            first: dict[int, Kept] = {}
            for entry in entries:
                first.setdefault(entry.document, entry)
            entries = list(first.values())
        return entries[: self.k]


def _first_of_each(names: Int64[Tensor, "candidate"]) -> Int64[Tensor, "distinct"]:
    """Where each distinct name is met first, in ascending order."""
    distinct, which = names.unique(return_inverse=True)
    first = torch.full((len(distinct),), len(names)).scatter_reduce_(0, which, torch.arange(len(names)), "amin")
    return first.sort().values
