"""Two dictionaries: who is whose counterpart, what split, and what changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monosema.dashboard.charts import bars
from monosema.dashboard.library import Place
from monosema.dashboard.measures import ABSENT, importance, top_token, written
from monosema.dashboard.numbers import count, percent
from monosema.dashboard.pages.asking import Asked, address
from monosema.features.browse.columns import COLUMNS
from monosema.features.browse.comparing import MATCHED, UNMATCHED, Comparison, Pair, Shift, Split
from monosema.features.browse.rows import FeatureRow


@dataclass(frozen=True)
class Compared:
    """The two dictionaries and what came of it; `comparison` is None while one of them is not chosen, and while it
    is `awaited`: ask again."""

    left: str
    right: str
    choices: tuple[str, ...]
    comparison: Comparison | None
    awaited: bool = False


def rows(asked: Asked) -> Compared:
    """The comparison of the two that the address names as RUN/DICTIONARY."""
    asked.only("left", "right")
    keys = tuple(f"{run}/{dictionary}" for run, dictionary in asked.library.names())
    left, right = asked.given.get("left", keys[0]), asked.given.get("right", "")
    if not right:
        return Compared(left, next((key for key in keys if key != left), left), keys, None)
    a, b = (asked.library.place(*key.partition("/")[::2]) for key in (left, right))
    comparison = asked.library.compared(a.table, b.table)
    return Compared(left, right, keys, comparison, comparison is None)


def view(found: Compared, asked: Asked) -> Mapping[str, Any]:
    """Tables of pairs, splits and shifts."""
    shown: dict[str, Any] = {
        "found": found,
        "comparison": found.comparison,
        "matched_from": MATCHED,
        "unmatched_to": UNMATCHED,
    }
    if found.comparison is None:
        return shown
    c = found.comparison
    left, right = (asked.library.place(*key.partition("/")[::2]) for key in (found.left, found.right))
    share = percent(c.n_matched / c.n_paired) if c.n_paired else ABSENT
    return shown | {
        "left": left,
        "right": right,
        "share": share,
        "n": {name: count(getattr(c, f"n_{name}")) for name in ("paired", "matched", "unmatched", "splits")},
        "histogram": bars(c.histogram, 320, 60, f"best {c.by} of {count(c.n_paired)} features, from 0 to 1"),
        "pairs": [_pair(left, right, pair) for pair in c.pairs],
        "unmatched": [_pair(left, right, pair) for pair in c.unmatched],
        "splits": [_split(left, right, split) for split in c.splits],
        "shifts": [_shift(shift) for shift in c.shifts],
    }


def _one(place: Place, row: FeatureRow) -> dict[str, Any]:
    return {
        "feature": row.feature,
        "url": address(place, f"feature/{row.feature}"),
        "token": top_token(row),
        "frequency": percent(row.frequency),
        "importance": importance(row),
    }


def _pair(left: Place, right: Place, pair: Pair) -> dict[str, Any]:
    return {"left": _one(left, pair.left), "right": _one(right, pair.right), "value": f"{pair.value:.2f}"}


def _split(left: Place, right: Place, split: Split) -> dict[str, Any]:
    parts = [
        {**_one(right, row), "value": f"{value:.2f}", "absorbed": row.feature in split.absorbed}
        for row, value in split.parts
    ]
    return {"left": _one(left, split.left), "parts": parts}


def _shift(shift: Shift) -> dict[str, Any]:
    column = COLUMNS[shift.column]

    def three(values: tuple[float, ...]) -> str:
        return " · ".join(written(column, value) for value in values) or ABSENT

    sides = (shift.left, shift.left_control, shift.right, shift.right_control)
    return {"column": column, "cells": [three(side) for side in sides]}
