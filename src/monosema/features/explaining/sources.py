"""Where features fire: read from a table's acts.parquet, or, of a control, found by a pass of its model.

A table keeps of its control only the numbers, so the control runs again on the table's text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from monosema.core.progress import progress
from monosema.core.seeding import derive
from monosema.features.mixing import mixed
from monosema.features.reading import Dictionary, Model, Reader
from monosema.features.tables.database import Database, rows_of
from monosema.features.tables.text import TableText


@dataclass(frozen=True)
class Acts:
    """Where one feature fires, in order of place, and how strongly."""

    places: Int64[Tensor, "entry"]
    values: Float[Tensor, "entry"]

    def at(self, places: Int64[Tensor, "place"]) -> Float[Tensor, "place"]:
        """The activation at some places; 0 where it does not fire."""
        if not len(self.places):
            return torch.zeros(len(places))
        found = torch.searchsorted(self.places, places).clamp(max=len(self.places) - 1)
        return torch.where(self.places[found] == places, self.values[found], 0.0)


@runtime_checkable
class Source(Protocol):
    """Features of a dictionary by their activations."""

    def acts(self, features: Sequence[int]) -> list[Acts]:
        """Those of some features, in their order."""
        ...


class TableSource:
    """The features of a table, from its file."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder, self.database = folder, database

    def acts(self, features: Sequence[int]) -> list[Acts]:
        if not features:
            return []
        named = ", ".join(str(feature) for feature in features)
        rows = self.database.fetch(
            f"SELECT feature, pos, act FROM {rows_of([self.folder / 'acts.parquet'])} "
            f"WHERE feature BETWEEN {min(features)} AND {max(features)} AND feature IN ({named}) ORDER BY feature, pos"
        )
        return _separate(rows["feature"].astype(np.int64), rows["pos"].astype(np.int64), rows["act"], features)


class ModelSource:
    """Some features of a dictionary that has no table, from one pass of its model; `features` are all that can be
    asked for."""

    def __init__(self, dictionary: Dictionary, model: Model, text: TableText, features: Sequence[int]) -> None:
        wanted = torch.zeros(dictionary.n_features, dtype=torch.bool)
        wanted[torch.tensor(features, dtype=torch.long)] = True
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        reader = Reader(model, text, dictionary.reads, list(range(text.n_blocks)), 4096)
        with progress("explanations: activations of the control", text.n_blocks, "block") as bar:
            for part in reader.parts(bar.advance):
                codes = part.codes(dictionary)
                its = wanted[codes.indices]
                found.append((codes.indices[its], part.places[codes.rows()[its]], codes.values[its]))
        feature, pos, act = (torch.cat(column) for column in zip(*found, strict=True))
        order = torch.from_numpy(np.lexsort((pos.numpy(), feature.numpy())))
        self.feature, self.pos, self.act = (column[order].numpy() for column in (feature, pos, act))

    def acts(self, features: Sequence[int]) -> list[Acts]:
        return _separate(self.feature, self.pos, self.act, features)


def in_random_order(features: Path, seed: int, database: Database) -> list[int]:
    """The features of a features.parquet that fire in two documents or more, in a seeded order."""
    rows = database.fetch(f"SELECT feature FROM {rows_of([features])} WHERE n_documents >= 2 ORDER BY feature")
    alive = torch.from_numpy(rows["feature"].astype(np.int64))
    return alive[mixed(alive, derive(seed, "features to explain")).argsort()].tolist()


def _separate(feature: np.ndarray, pos: np.ndarray, act: np.ndarray, features: Sequence[int]) -> list[Acts]:
    low, high = (np.searchsorted(feature, np.array(features), side=side) for side in ("left", "right"))
    return [
        Acts(torch.from_numpy(pos[a:b].copy()), torch.from_numpy(act[a:b].astype(np.float32)))
        for a, b in zip(low.tolist(), high.tolist(), strict=True)
    ]
