"""What to do to which features, and the vectors that are added for it where they write.

    delta = (new value - a) W_dec at every layer that a feature writes, at its token        a: its clean activation

A feature that does not fire has a = 0 and can be set. What a change upstream does to a feature that is changed too is
not made up for: the same vector is added.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from monosema.circuits.attribution.places import Place, blocks
from monosema.circuits.attribution.replacing import Active
from monosema.circuits.linear.local import LocalModel
from monosema.core.config import require
from monosema.core.errors import DataError


@dataclass(frozen=True)
class Change:
    """One feature at one token: `set` to `amount`, `scale` by it, `clamp` between 0 and it, or `ablate`."""

    layer: int
    index: int
    token: int
    how: Literal["set", "scale", "clamp", "ablate"] = "ablate"
    amount: float = 0.0

    def __post_init__(self) -> None:
        require(self.how in ("set", "scale", "clamp", "ablate"), f"how is '{self.how}': set, scale, clamp or ablate")
        require(self.how != "clamp" or self.amount >= 0, f"a feature cannot be clamped to {self.amount}: below zero")

    def value(self, clean: float) -> float:
        """What the activation becomes when it was `clean`."""
        values = {"set": self.amount, "scale": self.amount * clean, "clamp": min(clean, self.amount), "ablate": 0.0}
        return values[self.how]


def clean_values(active: Active, changes: Sequence[Change]) -> list[float]:
    """The activation of each changed feature as it is, 0 where it does not fire."""
    columns = (active.layer, active.index, active.token, active.value)
    values = {
        (layer, index, token): value for layer, index, token, value in zip(*(c.tolist() for c in columns), strict=True)
    }
    return [values.get((one.layer, one.index, one.token), 0.0) for one in changes]


def added(
    local: LocalModel, active: Active, places: Sequence[Place], changes: Sequence[Change]
) -> Mapping[int, Tensor]:
    """By layer, the vectors [token, d_model] to add to mlp_out. Raises DataError for a layer, feature or token that is
    not there, or one that is changed twice."""
    if len({(one.layer, one.index, one.token) for one in changes}) < len(changes):
        raise DataError("a feature is changed twice at one token: say once what it should be")
    deltas: dict[int, Tensor] = {}
    for one, clean in zip(changes, clean_values(active, changes), strict=True):
        for layer, vector in written(local, places, one.layer, one.index, one.token).items():
            delta = deltas.setdefault(layer, torch.zeros_like(local.seen["embed"]))
            delta[one.token] += (one.value(clean) - clean) * vector
    return deltas


def written(local: LocalModel, places: Sequence[Place], layer: int, index: int, token: int) -> dict[int, Tensor]:
    """By layer, what one unit of a feature's activation writes. Raises DataError when there is no such feature."""
    if not 0 <= token < local.n_tokens:
        raise DataError(f"there is no token {token}: the prompt has {local.n_tokens}, 0 to {local.n_tokens - 1}")
    place = next((place for place in places if layer in place.reads), None)
    if place is None:
        raise DataError(f"there is no layer {layer}: the model has {len(local.layers)}")
    dictionary = place.dictionary
    if not 0 <= index < dictionary.n_features:
        raise DataError(f"there is no feature {index} in layer {layer}: its transcoder has {dictionary.n_features}")
    reads = blocks(dictionary.W_enc[index : index + 1], len(place.reads))[0, place.reads.index(layer)]
    if not bool(reads.any()):
        raise DataError(f"feature {index} does not read layer {layer}")
    rows = blocks(dictionary.W_dec[index : index + 1], len(place.writes))[0]
    return {at: row.to(local.W_U) for at, row in zip(place.writes, rows, strict=True) if bool(row.any())}
