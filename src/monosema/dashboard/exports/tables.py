"""CSV: the numbers, a row a feature; its neighbours; its examples, a row each."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from monosema.core.runs import write_text
from monosema.dashboard.exports.selection import Selection
from monosema.features.browse.rows import FeatureRow

NUMBERS = tuple(field.name for field in fields(FeatureRow) if field.name != "histogram")

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


def write_csv(folder: Path, selection: Selection) -> tuple[Path, ...]:
    """Write features.csv, examples.csv and neighbours.csv to `folder`; the files."""
    tables = {
        "features": features_csv(selection),
        "examples": _text(EXAMPLES, _examples(selection)),
        "neighbours": _text(NEIGHBOURS, _neighbours(selection)),
    }
    for name, text in tables.items():
        write_text(folder / f"{name}.csv", text)
    return tuple(folder / f"{name}.csv" for name in tables)


def features_csv(selection: Selection) -> str:
    """The numbers of every feature as features.parquet defines them, with its label; empty where not measured."""
    rows = selection.table.rows(selection.features)
    values = ([getattr(row, name) for name in NUMBERS] + [selection.labels.get(row.feature, "")] for row in rows)
    return _text((*NUMBERS, "label"), values)


EXAMPLES = ("feature", "group", "low", "high", "rank", "document", "name", "pos", "act", "text", "chosen")
NEIGHBOURS = ("feature", "kind", "dictionary", "other", "value")


def _examples(selection: Selection) -> Iterable[Sequence[Any]]:
    for feature in selection.features:
        for group in selection.table.examples(feature):
            for rank, e in enumerate(group.examples):
                where = (e.document, e.name, e.pos, e.act, "".join(e.texts), e.texts[e.at])
                yield (feature, group.name, group.low, group.high, rank, *where)


def _neighbours(selection: Selection) -> Iterable[Sequence[Any]]:
    for feature in selection.features:
        for near in selection.table.feature(feature).neighbours:
            yield feature, near.kind, near.dictionary, near.feature, near.value


def _text(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([_safe(value) for value in row])
    return out.getvalue()


def _safe(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets an apostrophe in front, as spreadsheets write it."""
    if isinstance(value, str):
        kept = value.replace("\x00", "\u2400")
        return f"'{kept}" if kept.startswith(_DANGEROUS) else kept
    return "" if value is None else value
