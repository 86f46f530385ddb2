"""A split that leaks nothing: whole groups go to one side or the other."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from monosema.core.config import require
from monosema.core.errors import ConfigError, DataError, unknown
from monosema.core.seeding import derive
from monosema.corpus.statements.labelled import Labelled, Pairs, Statements, key, require_classes, taken

Duplicates = Literal["refuse", "group"]


def split(
    data: Labelled, held_out: float = 0.25, seed: int = 0, duplicates: Duplicates = "refuse"
) -> tuple[Labelled, Labelled]:
    """(train, held out) of `data`: whole groups, until about the fraction `held_out` of the rows is held out.

    A text that stands in two groups would be on both sides: "refuse" raises DataError for it, "group" makes one
    group of the two. Raises DataError as well when a side would lack true or false rows, or there is one group.
    """
    require(0 < held_out < 1, f"held_out is {held_out}: it must be more than 0 and less than 1")
    if duplicates not in ("refuse", "group"):
        raise ConfigError(unknown("way with duplicates", duplicates, ("refuse", "group")))
    groups = _joined(data) if duplicates == "group" else _refused(data)
    rows: dict[str, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        rows[group].append(row)
    if len(rows) < 2:
        raise DataError(f"{data.name} is one group of {len(data)} rows, which cannot be split: give at least two")
    held: set[int] = set()
    wanted = held_out * len(data)
    # In an order that depends on the names alone, so that rows stay where they are when others are reordered.
    order = sorted(rows, key=lambda group: (derive(seed, "statements held out", group), group))
    for group in order[:-1]:
        if len(held) + len(rows[group]) / 2 <= wanted:
            held |= set(rows[group])
    held = held or set(min(rows.values(), key=len))
    train, left_out = taken(data, (row for row in range(len(data)) if row not in held)), taken(data, sorted(held))
    require_classes(train, what=f"the training part of {data.name}")
    require_classes(left_out, what=f"the held-out part of {data.name}")
    return train, left_out


def _texts(data: Statements | Pairs) -> list[tuple[str, ...]]:
    if isinstance(data, Pairs):
        return [(key(negative), key(positive)) for negative, positive in zip(data.negative, data.positive, strict=True)]
    return [(key(text),) for text in data.texts]


def _refused(data: Statements | Pairs) -> Sequence[str]:
    first: dict[str, int] = {}
    for row, texts in enumerate(_texts(data)):
        for text in texts:
            before = first.setdefault(text, row)
            if data.groups[before] != data.groups[row]:
                raise DataError(
                    f"{data.name}: rows {before + 1} and {row + 1} are the same text '{text}' in two groups, so it "
                    "could stand on both sides of the split: remove one, or say duplicates='group'"
                )
    return data.groups


def _joined(data: Statements | Pairs) -> list[str]:
    """The groups, those that share a text made one."""
    parent: dict[str, str] = {}

    def root(group: str) -> str:
        while (above := parent.setdefault(group, group)) != group:
            parent[group] = parent[above]
            group = above
        return group

    first: dict[str, str] = {}
    for texts, group in zip(_texts(data), data.groups, strict=True):
        for text in texts:
            one, other = sorted((root(group), root(first.setdefault(text, group))))
            parent[other] = one
    return [root(group) for group in data.groups]
