"""Statements and pairs as files, with the columns that published sets of truths have.

    statement,label                  cities.csv:  The city of Paris is in France.,1
    negative,positive,label          pairs.csv:   Q: ... A: false,Q: ... A: true,1
    ... ,group                       rows that belong on one side of a split; without it every row is its own
    ... ,anything                    further columns are kept as attributes, or left out

.csv has a header line, .jsonl and .ndjson one object a line; both are UTF-8. A label is 1 or 0, or true or false
in any case.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from monosema.core.errors import DataError
from monosema.core.runs import write_text
from monosema.corpus.statements.labelled import Pairs, Statements, require_classes
from monosema.corpus.text_files import chunks

LABELS = {"1": 1, "0": 0, "true": 1, "false": 0}

Row = tuple[int, Mapping[str, Any]]


def read(path: Path | str, keep: Sequence[str] | Literal["all"] = "all") -> Statements | Pairs:
    """The statements or the pairs of a file, called by its name without the suffix.

    `keep` names the further columns that become attributes (whole numbers where all are, else texts). The same text
    twice is two rows, and `split` asks what is to be done. Raises DataError that names the line: an empty file, a
    column that is missing, a label that is none, an empty text, both sides of a pair alike, a text called both true
    and false, rows of one class only.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        raise DataError(f"{path}: expected a file of {', '.join(_READERS)} with the columns statement and label")
    rows = list(_READERS[suffix](path, "".join(chunks(path))))
    if not rows:
        raise DataError(f"{path} holds no rows: give the columns statement and label, and a row for each statement")
    columns = list(rows[0][1])
    texts = _kind(path, columns)
    pairs = texts != ("statement",)
    ours = (*texts, "label", "group")
    kept = [column for column in columns if column not in ours] if keep == "all" else list(keep)
    group = ["group"] if "group" in columns else []
    table = {column: _column(path, rows, column) for column in (*texts, "label", *group, *kept)}
    labels = np.array([_label(path, line, value) for line, value in table["label"]], dtype=np.int64)
    names = enumerate(table["group"] if group else rows, start=1)
    groups = tuple(str(cell[1]) if group else f"row {i}" for i, cell in names)
    attributes = {column: _values(table[column]) for column in kept}
    sides = [_texts(path, column, table[column]) for column in texts]
    data = (
        Pairs(path.stem, sides[0], sides[1], labels, groups, attributes)
        if pairs
        else Statements(path.stem, sides[0], labels, groups, attributes)
    )
    require_classes(data, what=str(path))
    return data


def _kind(path: Path, columns: Sequence[str]) -> tuple[str, ...]:
    """The columns that hold the texts: a statement, or the two sides of a pair."""
    sides = [side for side in ("negative", "positive") if side in columns]
    if "statement" in columns and len(sides) == 2:
        raise DataError(f"{path} holds statements and pairs: take out the column statement, or negative and positive")
    return ("negative", "positive") if sides and "statement" not in columns else ("statement",)


def write(path: Path | str, data: Statements | Pairs) -> None:
    """Write `data` so that `read` gives it back: texts, labels, groups and attributes."""
    path = Path(path)
    if path.suffix.lower() not in _READERS:
        raise DataError(f"{path}: give a name that ends in {' or '.join(_READERS)}")
    table: dict[str, Iterable[Any]] = (
        {"negative": data.negative, "positive": data.positive} if isinstance(data, Pairs) else {"statement": data.texts}
    )
    table |= {"label": data.labels.tolist(), "group": data.groups}
    for name, values in data.attributes.items():
        if name in table:
            raise DataError(f"{path}: an attribute cannot be called '{name}', as a column of the file is: rename it")
        table[name] = values.tolist()
    names, rows = list(table), zip(*table.values(), strict=True)
    text = io.StringIO()
    if path.suffix.lower() == ".csv":
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
    else:
        text.writelines(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) + "\n" for row in rows)
    write_text(path, text.getvalue())


def _csv(path: Path, text: str) -> Iterator[Row]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                n = sum(value is not None for key, value in row.items() if key is not None) + len(row.get(None, []))
                raise DataError(
                    f"{path}, line {reader.line_num}: {n} cells under a header of {len(reader.fieldnames or [])}: "
                    'put a text that holds a comma in quotation marks ("...")'
                )
            yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.reader.line_num}: not CSV ({error})") from error


def _jsonl(path: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path}, line {number}: not one JSON object a line ({error})") from error
            if not isinstance(row, dict):
                raise DataError(f"{path}, line {number}: expected an object such as {{'statement': ..., 'label': 1}}")
            yield number, row


_READERS: dict[str, Callable[[Path, str], Iterator[Row]]] = {".csv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl}


def _column(path: Path, rows: Sequence[Row], column: str) -> list[tuple[int, Any]]:
    for line, row in rows:
        if column not in row:
            there = ", ".join(f"'{name}'" for name in row) or "none"
            raise DataError(
                f"{path}, line {line}: no column '{column}'. Columns there: {there}. Statements are in the columns "
                "statement and label, pairs in negative, positive and label: rename those that hold them"
            )
    return [(line, row[column]) for line, row in rows]


def _label(path: Path, line: int, value: Any) -> int:
    label = LABELS.get(str(value).strip().lower())
    if label is None:
        raise DataError(f"{path}, line {line}: the label is '{value}': write 1 for true and 0 for false")
    return label


def _texts(path: Path, column: str, cells: Sequence[tuple[int, Any]]) -> tuple[str, ...]:
    for line, value in cells:
        if not isinstance(value, str) or not value.strip():
            raise DataError(f"{path}, line {line}: the {column} is {value!r}: give its text, or leave the row out")
    return tuple(value for _, value in cells)


def _values(cells: Sequence[tuple[int, Any]]) -> np.ndarray:
    texts = [str(value) for _, value in cells]
    whole = all(text.lstrip("-").isdecimal() and text == str(int(text)) and len(text) < 19 for text in texts)
    return np.array([int(text) for text in texts] if whole else texts)
