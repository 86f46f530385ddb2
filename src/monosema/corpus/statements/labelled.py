"""Statements and contrast pairs with what is true of them, row by row.

    Statements     "forty two is larger than nineteen"                            1    "nineteen forty two"
    Pairs          "Q: ... A: false"       "Q: ... A: true"                       1    "nineteen forty two"

Rows of one group say the same thing or its opposite: they belong on one side of a split.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, final

import numpy as np
from jaxtyping import Int64, Shaped

from monosema.core.errors import DataError


@final
@dataclass(frozen=True, eq=False)
class Statements:
    """Row i: `texts[i]` is true (`labels[i]` 1) or false (0), and is one of group `groups[i]`.

    `attributes` are further things known of each row: whole numbers or words, [n] each. Raises DataError for an
    empty text, another label, columns of different lengths, and a text that is called both true and false.
    """

    name: str
    texts: tuple[str, ...]
    labels: Int64[np.ndarray, " n"]
    groups: tuple[str, ...]
    attributes: Mapping[str, Shaped[np.ndarray, " n"]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns: dict[str, Any] = {"texts": self.texts, "labels": self.labels, "groups": self.groups}
        _require_columns(self.name, columns | dict(self.attributes))
        _require_text(self.name, "statement", self.texts)
        _require_labels(self.name, self.labels)
        _require_one_mind(self.name, [(text,) for text in self.texts], self.labels)

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Iterable[int]) -> "Statements":
        """These rows, in this order."""
        return taken(self, rows)


@final
@dataclass(frozen=True, eq=False)
class Pairs:
    """Row i: one statement completed by "false" (`negative[i]`) and by "true" (`positive[i]`).

    `labels[i]` is 1 where `positive` is the right completion. Raises DataError as `Statements` does, and where the
    two sides of a row are the same text.
    """

    name: str
    negative: tuple[str, ...]
    positive: tuple[str, ...]
    labels: Int64[np.ndarray, " n"]
    groups: tuple[str, ...]
    attributes: Mapping[str, Shaped[np.ndarray, " n"]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns: dict[str, Any] = {"negative": self.negative, "positive": self.positive}
        columns |= {"labels": self.labels, "groups": self.groups}
        _require_columns(self.name, columns | dict(self.attributes))
        _require_text(self.name, "negative", self.negative)
        _require_text(self.name, "positive", self.positive)
        for row, (negative, positive) in enumerate(zip(self.negative, self.positive, strict=True), start=1):
            if key(negative) == key(positive):
                raise DataError(
                    f"{self.name}: both sides of pair {row} are '{_short(negative)}': "
                    "complete the statement in two ways, one of them wrong"
                )
        _require_labels(self.name, self.labels)
        _require_one_mind(self.name, list(zip(self.negative, self.positive, strict=True)), self.labels)

    def __len__(self) -> int:
        return len(self.negative)

    def take(self, rows: Iterable[int]) -> "Pairs":
        """These rows, in this order."""
        return taken(self, rows)


Labelled = TypeVar("Labelled", bound=Statements | Pairs)


def taken(data: Labelled, rows: Iterable[int]) -> Labelled:
    """The rows of these numbers, in this order."""
    chosen = [int(row) for row in rows]

    def column(values: Sequence[str]) -> tuple[str, ...]:
        return tuple(values[row] for row in chosen)

    attributes = {name: values[chosen] for name, values in data.attributes.items()}
    both: dict[str, Any] = {"labels": data.labels[chosen], "groups": column(data.groups), "attributes": attributes}
    if isinstance(data, Pairs):
        return replace(data, negative=column(data.negative), positive=column(data.positive), **both)
    return replace(data, texts=column(data.texts), **both)


def key(text: str) -> str:
    """What two texts share when they are the same statement: the text, whatever its white space."""
    return " ".join(text.split())


def require_classes(data: Statements | Pairs, each: int = 1, what: str = "") -> None:
    """Raise DataError unless `data`, called `what`, has at least `each` rows of label 1 and as many of label 0."""
    n_true = int(data.labels.sum())
    for label, n in ((1, n_true), (0, len(data) - n_true)):
        if n < each:
            found = "none has" if n == 0 else f"{n} {'has' if n == 1 else 'have'}"
            raise DataError(
                f"{what or data.name}: of {len(data)} rows {found} label {label}, and at least {each} must: "
                "give more rows, of both classes"
            )


def _require_columns(name: str, columns: Mapping[str, Any]) -> None:
    lengths = {column: len(values) for column, values in columns.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{n} {column}" for column, n in lengths.items())
        raise DataError(f"{name}: the columns are not aligned ({found}): give one of each for every row")
    if not columns["groups"]:
        raise DataError(f"{name} holds no rows: give statements and their labels")


def _require_text(name: str, column: str, texts: Sequence[str]) -> None:
    for row, text in enumerate(texts, start=1):
        if not text.strip():
            raise DataError(f"{name}: the {column} of row {row} is empty: give its text, or leave the row out")


def _require_labels(name: str, labels: np.ndarray) -> None:
    wrong = np.flatnonzero(~np.isin(labels, (0, 1)))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(f"{name}: the label of row {row + 1} is {labels[row]}: write 1 for true and 0 for false")


def _require_one_mind(name: str, rows: Sequence[tuple[str, ...]], labels: np.ndarray) -> None:
    said: dict[tuple[str, ...], int] = {}
    for row, texts in enumerate(rows):
        first = said.setdefault(tuple(map(key, texts)), row)
        if labels[first] != labels[row]:
            raise DataError(
                f"{name}: '{_short(texts[-1])}' has label {labels[first]} in row {first + 1} and {labels[row]} in "
                f"row {row + 1}: correct one of them"
            )


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
