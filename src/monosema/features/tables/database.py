"""DuckDB, set so that the same rows give the same bytes: one thread, insertion order kept, named codecs."""

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from monosema.core.errors import DamagedError
from monosema.core.runs import replacing

ROW_GROUP = 122_880
"""Rows of a row group: DuckDB's own batch of work, and the least that is read of a column."""

Columns = Mapping[str, np.ndarray]


class Database:
    """A connection that reads and writes Parquet, sorting within `memory_mb` and on disk beyond it."""

    def __init__(self, memory_mb: int, temporary: Path) -> None:
        settings = {"memory_limit": f"{memory_mb}MB", "temp_directory": str(temporary), "threads": 1}
        self.connection = duckdb.connect(":memory:", config={**settings, "preserve_insertion_order": True})

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def write(self, path: Path, query: str, given: Columns | None = None) -> None:
        """Write the rows of `query` to `path`, whole or not at all; in it `given` is a table of arrays."""
        if given is not None:
            self.connection.register("given", dict(given))
        with replacing(path) as temporary:
            self._run(
                f"COPY ({query}) TO '{_quoted(temporary)}' (FORMAT parquet, COMPRESSION zstd, "
                f"PARQUET_VERSION v2, ROW_GROUP_SIZE {ROW_GROUP})"
            )
        if given is not None:
            self.connection.unregister("given")

    def fetch(self, query: str, parameters: Sequence[Any] = ()) -> dict[str, np.ndarray]:
        """The columns of `query`; NULL in a column of numbers is not a number."""
        found = self._run(query, parameters).fetchnumpy()
        return {
            name: column.filled(np.nan) if np.ma.isMaskedArray(column) else column for name, column in found.items()
        }

    def _run(self, query: str, parameters: Sequence[Any] = ()) -> duckdb.DuckDBPyConnection:
        try:
            return self.connection.execute(query, parameters)
        except (duckdb.InvalidInputException, duckdb.IOException, duckdb.SerializationException) as error:
            first = str(error).splitlines()[0]
            raise DamagedError(
                f"a file of the feature table cannot be read ({first}): delete it and build again"
            ) from error


def rows_of(paths: Sequence[Path]) -> str:
    """The rows of some Parquet files, one after the other, for a FROM clause."""
    named = ", ".join("'" + glob.escape(_quoted(path)) + "'" for path in paths)
    return f"read_parquet([{named}])"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def spread(name: str, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Numbers or texts [place, row] as a column for each place, of which `gathered` makes lists in SQL: DuckDB takes
    columns ten times as fast as a column of Python's lists."""
    return {f"{name}_{i}": row for i, row in enumerate(rows)}


def gathered(name: str, n: int) -> str:
    """SQL of the lists of `n` that `spread` spread."""
    return "[" + ", ".join(f"{name}_{i}" for i in range(n)) + "]"


def lists(rows: Sequence[Any]) -> np.ndarray:
    """Rows that are lists (or None) as a column."""
    column = np.empty(len(rows), dtype=object)
    for i, row in enumerate(rows):
        column[i] = row
    return column
