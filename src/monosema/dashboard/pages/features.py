"""Which features matter, and which are suspicious: a table, and all of them in a picture beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from monosema.dashboard.charts import bars
from monosema.dashboard.measures import ABSENT, importance, state, top_token, value_of, written
from monosema.dashboard.numbers import count, percent, short
from monosema.dashboard.pages.asking import Asked, address
from monosema.features.browse.columns import COLUMNS
from monosema.features.browse.query import SIZES, Query, Range
from monosema.features.browse.rows import FeaturePage, FeatureRow, Scatter
from monosema.features.labels import View

SHOWN = ("frequency", "importance", "given_fires", "floor_r", "foretells")
"""The columns of numbers; a column that is sorted by and not among them is added."""

PRESETS = (
    ("most important", Query()),
    ("most harmful", Query(descending=False)),
    ("dense", Query(kind="dense", sort="frequency")),
    ("ultra-rare", Query(kind="rare", sort="frequency")),
    ("dead", Query(kind="dead", sort="feature", descending=False)),
    ("named by n-grams", Query(ranges=(Range("floor_r", low=0.8),))),
    ("beyond n-grams", Query(ranges=(Range("floor_r", high=0.2),))),
    ("beats the floor", Query(ranges=(Range("beats_floor_low", low=0.001),), sort="beats_floor")),
    ("without a label", Query(labelled="no", kind="alive")),
)
"""Queries that are asked often."""

BOUNDED = ("frequency", "importance", "floor_r")
"""The columns whose bounds have fields of their own."""


@dataclass(frozen=True)
class Listing:
    """A page of features with the labels of its rows, and the saved views."""

    page: FeaturePage
    labels: tuple[tuple[int, str], ...]
    views: tuple[View, ...]


def rows(asked: Asked) -> Listing:
    """The features that the address asks for."""
    query, place = Query.from_pairs(asked.given), asked.place
    labels = place.current()
    page = place.table.page(query, labels)
    shown = tuple((row.feature, labels[row.feature]) for row in page.rows if row.feature in labels)
    return Listing(page, shown, place.labels.views(place.dictionary))


def scatter(asked: Asked) -> Scatter:
    """The picture beside the table, for the script that draws it."""
    return asked.place.table.scatter(Query.from_pairs(asked.given), asked.place.current())


def view(found: Listing, asked: Asked) -> Mapping[str, Any]:
    """The table, the form of its filters, and where its links go."""
    query, page, place = found.page.query, found.page, asked.place
    labels = dict(found.labels)
    columns = [*SHOWN, *(name for name in (query.sort,) if name not in SHOWN and name != "feature")]
    n_pages = max(1, -(-page.n_matching // query.size))
    return {
        "query": query,
        "columns": [_heading(asked, query, name) for name in ("feature", *columns)],
        "rows": [_row(asked, query.to_url(), row, labels.get(row.feature, ""), columns) for row in page.rows],
        "n_matching": count(page.n_matching),
        "n_features": count(page.n_features),
        "first": count((query.page - 1) * query.size + 1) if page.rows else "0",
        "last": count((query.page - 1) * query.size + len(page.rows)),
        "previous": _to(asked, replace(query, page=query.page - 1)) if query.page > 1 else "",
        "following": _to(asked, replace(query, page=query.page + 1)) if query.page < n_pages else "",
        "presets": [(name, _to(asked, preset), _same(preset, query)) for name, preset in PRESETS],
        "views": [(saved.name, f"{address(place, 'features')}?{saved.query}") for saved in found.views],
        "bounds": [_bounds(query, name) for name in BOUNDED],
        "other_bounds": [r for r in query.ranges if r.column not in BOUNDED],
        "all_columns": list(COLUMNS.values()),
        "sizes": SIZES,
        "url": query.to_url(),
        "scatter_url": f"{address(place, 'scatter.json')}?{query.to_url()}",
        "filtered": query.text or query.ranges or query.kind != "all" or query.labelled != "any",
    }


def _to(asked: Asked, query: Query) -> str:
    url = query.to_url()
    return f"{address(asked.place, 'features')}{'?' * bool(url)}{url}"


def _same(one: Query, other: Query) -> bool:
    """Whether two queries list the same features in the same order."""
    return replace(one, page=1, size=50, x="frequency", y="importance") == replace(
        other, page=1, size=50, x="frequency", y="importance"
    )


def _heading(asked: Asked, query: Query, name: str) -> dict[str, Any]:
    column, sorted_by = COLUMNS[name], query.sort == name
    turned = replace(query, sort=name, descending=not query.descending if sorted_by else name != "feature", page=1)
    aria = ("descending" if query.descending else "ascending") if sorted_by else "none"
    return {"column": column, "url": _to(asked, turned), "sorted": aria}


def _bounds(query: Query, name: str) -> dict[str, Any]:
    bounds = query.range(name)
    low, high = (bounds.low, bounds.high) if bounds else (None, None)
    return {
        "column": COLUMNS[name],
        "low": "" if low is None else f"{low:g}",
        "high": "" if high is None else f"{high:g}",
    }


def _row(asked: Asked, url: str, row: FeatureRow, label: str, columns: list[str]) -> dict[str, Any]:
    return {
        "feature": row.feature,
        "url": f"{address(asked.place, f'feature/{row.feature}')}{'?' * bool(url)}{url}",
        "label": label,
        "floor": row.explanation or row.floor_text,
        "token": top_token(row),
        "share": percent(row.top_token_share) if row.top_token_share else "",
        "state": state(row),
        "importance": importance(row),
        "helps": (row.importance or 0.0) > 0,
        "cells": [(name, ABSENT if row.is_dead else written(COLUMNS[name], value_of(row, name))) for name in columns],
        "histogram": None if row.is_dead or not row.histogram else bars(row.histogram, 72, 18, ""),
        "max": short(row.max_act),
    }
