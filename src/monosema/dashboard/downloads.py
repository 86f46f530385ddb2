"""What the export page gives, made when it is asked for."""

from collections.abc import Callable

from monosema.dashboard.exports import neuronpedia, saedashboard, single, tables
from monosema.dashboard.exports.selection import AT_ONCE, Selection, select
from monosema.dashboard.pages.asking import Asked
from monosema.features.browse.query import Query


def _selected(asked: Asked) -> Selection:
    return select(asked.place.table, Query.from_pairs(asked.given), asked.place.current(), AT_ONCE)


def _labels(asked: Asked) -> bytes:
    return "".join(f"{line}\n" for line in asked.place.labels.lines()).encode()


DOWNLOADS: dict[str, tuple[str, Callable[[Asked], bytes]]] = {
    "features.html": ("text/html", lambda asked: single.page(_selected(asked)).encode()),
    "features.csv": ("text/csv", lambda asked: tables.features_csv(_selected(asked)).encode()),
    "saedashboard.json": ("application/json", lambda asked: saedashboard.batch(_selected(asked)).encode()),
    "neuronpedia.tar": ("application/x-tar", lambda asked: neuronpedia.tar(_selected(asked))),
    "labels.jsonl": ("application/x-ndjson", _labels),
}
"""Every download: its type, and what makes it."""
