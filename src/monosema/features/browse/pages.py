"""From a Query to SQL: which features, in which order, and the scatter of all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monosema.features.browse.columns import COLUMNS, Column
from monosema.features.browse.query import Query

RARE = "(NOT is_dead AND (frequency < 1e-5 OR n_active < 10))"
"""Fires on so few tokens that little can be said about it."""

_KINDS = {"all": "true", "alive": "NOT is_dead", "dead": "is_dead", "dense": "is_dense", "rare": RARE}


@dataclass(frozen=True)
class Where:
    """A condition with the values of its question marks."""

    sql: str
    values: tuple[Any, ...]


def where(query: Query, labels: Mapping[int, str]) -> Where:
    """Which features match: `labels` are the user's own, by feature."""
    parts, values = [_KINDS[query.kind]], []
    if query.text:
        wanted = query.text.casefold()
        labelled = [feature for feature, label in labels.items() if wanted in label.casefold()]
        parts.append(
            "(contains(lower(floor_text), lower(?)) OR contains(lower(explanation), lower(?))"
            " OR contains(lower(top_text), lower(?)) OR list_contains(?::UINTEGER[], feature) OR feature = ?)"
        )
        number = int(query.text) if query.text.isascii() and query.text.isdigit() and len(query.text) < 10 else -1
        values += [query.text, query.text, query.text, labelled, number]
    if query.labelled != "any":
        parts.append(f"{'' if query.labelled == 'yes' else 'NOT '}list_contains(?::UINTEGER[], feature)")
        values.append(list(labels))
    for bounds in query.ranges:
        for sign, bound in ((">=", bounds.low), ("<=", bounds.high)):
            if bound is not None:
                parts.append(f"{COLUMNS[bounds.column].expression} {sign} ?")
                values.append(bound)
    return Where(" AND ".join(parts), tuple(values))


def order(query: Query) -> str:
    """ORDER BY: what has no number comes last, ties by feature."""
    way = "DESC" if query.descending else "ASC"
    return f"{COLUMNS[query.sort].expression} {way} NULLS LAST, feature"


def placed(column: Column, low: float, high: float, knee: float, n_cells: int) -> str:
    """SQL of the cell that a value lies in, NULL for a value with no place."""
    value = column.expression
    if column.scale == "log":
        bent, ends = f"ln(nullif(greatest({value}, 0), 0))", f"(ln({low!r}), ln({high!r}))"
    elif column.scale == "signed log":
        bent, ends = f"asinh({value} / {knee!r})", f"(asinh({low!r} / {knee!r}), asinh({high!r} / {knee!r}))"
    else:
        bent, ends = value, f"({low!r}, {high!r})"
    first, last = ends[1:-1].split(", ")
    cell = f"least(floor(({bent} - {first}) / ({last} - {first}) * {n_cells}), {n_cells - 1})::INTEGER"
    return f"CASE WHEN {bent} IS NOT NULL THEN {cell} END"
