"""Named clusters of tokens: a partition of some of the rows of a matrix.

token_classes    by what a token is written with: leading space, capital, digits, punctuation, ...
read_clusters    a user's lists: {"days": [" Monday", ...], ...} in JSON, or CSV with columns cluster,token
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from monosema.core.config import require
from monosema.core.errors import DamagedError, DataError
from monosema.geometry.token_texts import CLASSES, Vocabulary

SHOWN = 5
"""Tokens named in an error."""


@dataclass(frozen=True, eq=False)
class Clusters:
    """The cluster of every row, counted from 0 as in `names`; -1 for a row in none. skipped: tokens left out of it."""

    names: tuple[str, ...]
    of: Int64[Tensor, "token"]
    skipped: int = 0

    def __post_init__(self) -> None:
        require(len(self.names) >= 2, f"{len(self.names)} clusters are too few: the variance between them needs two")
        counts = torch.bincount(self.of[self.of >= 0], minlength=len(self.names))
        require(len(counts) == len(self.names), "a row is in a cluster that has no name")
        empty = [name for name, n in zip(self.names, counts.tolist(), strict=True) if n == 0]
        require(not empty, f"no token is in cluster '{empty[0] if empty else ''}': leave it out, or give it tokens")

    @property
    def inside(self) -> Bool[Tensor, "token"]:
        """Whether a row is in a cluster."""
        return self.of >= 0

    @property
    def everywhere(self) -> bool:
        """Whether every row is in a cluster."""
        return bool(self.inside.all())

    @property
    def n(self) -> int:
        """Rows in clusters."""
        return int(self.inside.sum())

    @property
    def sizes(self) -> Int64[Tensor, "cluster"]:
        """Rows in each cluster."""
        return torch.bincount(self.of[self.inside], minlength=len(self.names))

    def shuffled(self, generator: torch.Generator) -> "Clusters":
        """The same labels dealt out anew to the rows that are in clusters."""
        labels = self.of[self.inside]
        of = self.of.clone()
        of[self.inside] = labels[torch.randperm(len(labels), generator=generator)]
        return Clusters(self.names, of, self.skipped)

    def alone(self) -> "Clusters":
        """The rows that are in clusters, without the others."""
        return Clusters(self.names, self.of[self.inside], self.skipped)


def sums(
    rows: Float64[Tensor, "token d"], labels: Int64[Tensor, "token"], n_clusters: int
) -> Float64[Tensor, "cluster d"]:
    """The sum of the rows of each cluster."""
    found = torch.zeros(n_clusters, rows.shape[1], dtype=rows.dtype)
    return found.index_add_(0, labels, rows)


def named(names: Sequence[str]) -> Clusters:
    """Clusters from the name of each row's, in the order of `CLASSES`, then of the alphabet; '' is none."""
    there = {name for name in names if name}
    order = [*(name for name in CLASSES if name in there), *sorted(there - set(CLASSES))]
    number = {name: i for i, name in enumerate(order)} | {"": -1}
    return Clusters(tuple(order), torch.tensor([number[name] for name in names]))


def token_classes(vocabulary: Vocabulary) -> Clusters:
    """Every token in the class that its text puts it in."""
    return named(vocabulary.classes())


def read_clusters(path: Path | str, vocabulary: Vocabulary, skip_unknown: bool = False) -> Clusters:
    """The clusters that a JSON or CSV file lists. A token is found by its text (' self'), else by its piece ('Ġself').

    Raises DataError: no such file, a token that the vocabulary lacks (with `skip_unknown` such are left out and
    counted), a token in two clusters. Raises DamagedError when the file is not of that form, ConfigError for
    fewer than two clusters, or one that is left empty.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"there is no file {path}: give a JSON file of lists by name, or a CSV file of cluster,token")
    lists = _csv(path) if path.suffix == ".csv" else _json(path)
    unknown = [token for tokens in lists.values() for token in tokens if token not in vocabulary.place]
    if unknown and not skip_unknown:
        more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        first = ", ".join(map(repr, unknown[:SHOWN]))
        raise DataError(
            f"{path} names {len(unknown)} tokens that the vocabulary lacks: {first}{more}. "
            "A token has its leading space; --skip-unknown leaves such tokens out"
        )
    of = torch.full((len(vocabulary),), -1, dtype=torch.int64)
    for number, (name, tokens) in enumerate(lists.items()):
        for place in {vocabulary.place[token] for token in tokens if token in vocabulary.place}:
            if of[place] >= 0:
                other = list(lists)[int(of[place])]
                raise DataError(
                    f"token {vocabulary.written[place]} is in '{other}' and in '{name}': it can be in one of them"
                )
            of[place] = number
    return Clusters(tuple(lists), of, len(unknown))


def _json(path: Path) -> Mapping[str, Sequence[str]]:
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DamagedError(f"{path} is not JSON ({error}): it must hold an object of lists by name") from error
    if not isinstance(found, dict) or not all(
        isinstance(tokens, list) and all(isinstance(token, str) for token in tokens) for tokens in found.values()
    ):
        raise DamagedError(f'{path} must hold an object of lists of tokens, such as {{"days": [" Monday"]}}')
    return found


def _csv(path: Path) -> Mapping[str, Sequence[str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DamagedError(f"{path} is not CSV ({error}): it must have the columns cluster,token") from error
    if not rows or rows[0] != ["cluster", "token"] or any(len(row) != 2 for row in rows):
        raise DamagedError(f"{path} must have the columns cluster,token under a line that names them")
    found: dict[str, list[str]] = {}
    for name, token in rows[1:]:
        found.setdefault(name, []).append(token)
    return found


def chance_of_a_pair(sizes: Int64[Tensor, "cluster"]) -> Float64[Tensor, ""]:
    """The probability that two different tokens, drawn from all that are in clusters, share theirs."""
    n = sizes.sum().double()
    return (sizes * (sizes - 1)).sum() / (n * (n - 1))
