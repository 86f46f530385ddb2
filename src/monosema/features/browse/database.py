"""DuckDB over a table's Parquet files: read-only, shut off from every other file, a cursor a request."""

import glob
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from monosema.core.errors import DamagedError

if TYPE_CHECKING:
    import numpy as np

THREADS = 2


class Database:
    """Asks the Parquet files of one table. Safe to use from several threads."""

    def __init__(self, folders: Sequence[Path], threads: int = THREADS) -> None:
        self._db = duckdb.connect(
            ":memory:", config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}
        )
        self._db.execute(f"SET threads = {threads}")
        self._db.execute("SET parquet_metadata_cache = true")
        # Once as it is and once as a pattern: DuckDB checks both what is asked for and what is opened.
        names = {name for folder in folders for name in (str(folder.resolve()), glob.escape(str(folder.resolve())))}
        allowed = ", ".join(f"'{quoted(name)}/'" for name in sorted(names))
        self._db.execute(f"SET allowed_directories = [{allowed}]")
        self._db.execute("SET enable_external_access = false")
        self._db.execute("SET lock_configuration = true")

    def rows(self, sql: str, parameters: Sequence[Any] = (), files: Sequence[Path] = ()) -> list[dict[str, Any]]:
        """The rows of a query as dictionaries. `files` are those it reads, for the message when one is damaged.

        Raises DamagedError naming them when DuckDB cannot read what is there.
        """
        with self._asked(sql, parameters, files) as found:
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def columns(self, sql: str, parameters: Sequence[Any] = (), files: Sequence[Path] = ()) -> list[list[Any]]:
        """The columns of a query without NULL; many times faster than `rows` for many rows."""
        with self._asked(sql, parameters, files) as found:
            return [column.tolist() for column in found.fetchnumpy().values()]

    def arrays(self, sql: str, parameters: Sequence[Any] = (), files: Sequence[Path] = ()) -> "dict[str, np.ndarray]":
        """The columns of a query by name; NULL in a column of floats is not a number."""
        import numpy as np

        with self._asked(sql, parameters, files) as found:
            return {
                name: column.filled(np.nan) if np.ma.isMaskedArray(column) else column
                for name, column in found.fetchnumpy().items()
            }

    @contextmanager
    def _asked(self, sql: str, parameters: Sequence[Any], files: Sequence[Path]) -> Iterator[duckdb.DuckDBPyConnection]:
        cursor = self._db.cursor()
        try:
            yield cursor.execute(sql, list(parameters))
        except duckdb.Error as error:
            raise DamagedError(_damage(error, files)) from error
        finally:
            cursor.close()


def source(path: Path) -> str:
    """`path` as DuckDB reads it in FROM: the file of exactly that name, whatever signs are in it."""
    return f"read_parquet('{quoted(glob.escape(str(path.resolve())))}')"


def among(features: Sequence[int], column: str = "feature") -> str:
    """The condition that a row is of one of `features` (at least one); what lies outside their range is not read."""
    named = ", ".join(str(int(feature)) for feature in features)
    return f"{column} BETWEEN {min(features)} AND {max(features)} AND {column} IN ({named})"


def quoted(value: object) -> str:
    """For the inside of a text in SQL."""
    return str(value).replace("'", "''")


def _damage(error: duckdb.Error, files: Sequence[Path]) -> str:
    said = str(error).splitlines()[0]
    named = [path for path in files if path.name in said] or list(files)
    which = " or ".join(map(str, named))
    return f"{which} is damaged or not of this format ({said}): build the table again with `monosema features RUN`"
