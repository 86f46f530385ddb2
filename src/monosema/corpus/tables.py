"""Tables of documents: JSON lines, Parquet, and data sets saved by Hugging Face `datasets`.

    {"text": "one document", ...}     one row is one document; only the text column is read

Rows stream in batches, so a table larger than memory can be read. A row without text (null) is an
empty document; a table without the column is a DataError that names the columns it has.
"""

import glob
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from monosema.core.errors import DataError

ROWS = 1024

Pair = tuple[str, str]


def jsonl(path: Path, name: str, field: str) -> Iterator[Pair]:
    """One JSON object a line; ids are `name#line`, lines counted from 1. Blank lines are left out."""
    try:
        with path.open("rb") as file:
            offset = 0
            for number, line in enumerate(file, start=1):
                if not line.isspace():
                    yield f"{name}#{number}", _json_text(line, field, f"{path}, line {number}", path, offset)
                offset += len(line)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def _json_text(line: bytes, field: str, where: str, path: Path, offset: int) -> str:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        at = offset + len(line) - len(error.object) + error.start
        raise DataError(f"{path} is not UTF-8: byte 0x{error.object[error.start]:02x} at offset {at}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not one JSON object a line ({error})") from error
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected an object with a field '{field}', got {_kind(row)}")
    if field not in row:
        raise DataError(f"{where}: {_no_column(field, row)}")
    return _text(row[field], field, where)


def parquet(path: Path, name: str, field: str) -> Iterator[Pair]:
    """The rows of a Parquet file; ids are `name#row`, rows counted from 1."""
    import duckdb

    # duckdb reads the argument as a pattern, and with more threads holds a row group for each.
    source = [glob.escape(str(path))]
    try:
        with duckdb.connect(":memory:", config={"threads": 1}) as connection:
            columns = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", source).fetchall()
            _require_text(path, field, {column[0]: column[1] for column in columns}, {"VARCHAR"})
            quoted = field.replace('"', '""')
            rows = connection.execute(f'SELECT "{quoted}" FROM read_parquet(?)', source)
            yield from _numbered(name, field, path, (row[0] for row in _batched(rows)))
    except duckdb.Error as error:
        raise DataError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error


def _batched(rows: Any) -> Iterator[tuple[Any, ...]]:
    while batch := rows.fetchmany(ROWS):
        yield from batch


def arrow(path: Path, name: str, field: str) -> Iterator[Pair]:
    """The rows of one Arrow stream file, as `datasets` writes it; ids are `name#row`."""
    yield from _numbered(name, field, path, _arrow_values(path, field))


def saved_dataset(path: Path, name: str, field: str) -> Iterator[Pair]:
    """The rows of a folder written by `Dataset.save_to_disk` (`state.json` lists its shards), or of a
    cache folder (every .arrow file in it); ids are `name#row`."""
    shards = _shards(path)
    values = (value for shard in shards for value in _arrow_values(shard, field))
    yield from _numbered(name, field, path, values)


def saved_dataset_dict(path: Path, name: str, field: str) -> Iterator[Pair]:
    """Every split of a folder written by `DatasetDict.save_to_disk`, in its own order; ids are
    `name/split#row`. For one split alone, give that split's folder."""
    for split in _json_file(path / "dataset_dict.json", "splits")["splits"]:
        if not (path / split).is_dir():
            raise DataError(f"{path} is incomplete: dataset_dict.json names the split '{split}', its folder is missing")
        yield from saved_dataset(path / split, f"{name}/{split}", field)


def _shards(path: Path) -> list[Path]:
    if not (path / "state.json").exists():
        shards = sorted(path.glob("*.arrow"))
        if not shards:
            raise DataError(f"{path} has a dataset_info.json but no .arrow file: save the data set again")
        return shards
    state = _json_file(path / "state.json", "_data_files")
    if state.get("_indices_data_files"):
        raise DataError(
            f"{path} holds a selection of rows as an old version of `datasets` kept it: "
            "load_from_disk, flatten_indices and save_to_disk it again"
        )
    shards = [path / entry["filename"] for entry in state["_data_files"]]
    for shard in shards:
        if not shard.exists():
            raise DataError(f"{path} is incomplete: state.json names {shard.name}, which is missing")
    return shards


def _json_file(path: Path, key: str) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    if not isinstance(value, dict) or key not in value:
        raise DataError(f"{path} has no '{key}': it was not written by `datasets` save_to_disk")
    return value


def _arrow_values(path: Path, field: str) -> Iterator[Any]:
    try:
        import pyarrow
    except ImportError as error:
        raise DataError(f"reading {path} needs pyarrow: pip install pyarrow") from error
    try:
        with pyarrow.memory_map(str(path)) as source, pyarrow.ipc.open_stream(source) as reader:
            kinds = {column.name: str(column.type) for column in reader.schema}
            _require_text(path, field, kinds, {"string", "large_string", "string_view"})
            for batch in reader:
                yield from batch.column(field).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as an Arrow stream: {str(error).splitlines()[0]}") from error


def _numbered(name: str, field: str, path: Path, values: Iterable[Any]) -> Iterator[Pair]:
    for number, value in enumerate(values, start=1):
        yield f"{name}#{number}", _text(value, field, f"{path}, row {number}")


def _text(value: Any, field: str, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DataError(f"{where}: the field '{field}' holds {_kind(value)}, not text")
    return value.replace("\r\n", "\n").replace("\r", "\n") if "\r" in value else value


def _require_text(path: Path, field: str, kinds: dict[str, str], text_kinds: set[str]) -> None:
    if field not in kinds:
        raise DataError(f"{path}: {_no_column(field, kinds)}")
    if kinds[field] not in text_kinds:
        raise DataError(f"{path}: the field '{field}' holds {kinds[field]}, not text")


def _no_column(field: str, found: Iterable[str]) -> str:
    names = ", ".join(f"'{name}'" for name in found) or "none"
    return f"no field '{field}'. Fields found: {names}. Rename the one that holds the text to '{field}'"


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")


READERS: dict[str, Callable[[Path, str, str], Iterator[Pair]]] = {
    ".jsonl": jsonl,
    ".ndjson": jsonl,
    ".parquet": parquet,
    ".arrow": arrow,
}

# A folder that holds this file is a data set that `datasets` wrote.
SAVED: dict[str, Callable[[Path, str, str], Iterator[Pair]]] = {
    "dataset_dict.json": saved_dataset_dict,
    "dataset_info.json": saved_dataset,
}
