"""Reading feature tables: pages of features, one feature, its examples, a document, two dictionaries.

    open_table(RUN/features/NAME) -> FeatureTable     .page(Query)  .feature(f)  .examples(f)  .document(d)
    Query                                             what a page of features shows, and the URL that says it
    compare(left, right) -> Comparison                matched pairs, splits, what has no match

Frozen rows come out. Loads DuckDB, never torch. Names are resolved when they are first used.
"""

from typing import TYPE_CHECKING

from monosema.core.lazy import lazily

if TYPE_CHECKING:
    from monosema.features.browse.columns import COLUMNS as COLUMNS
    from monosema.features.browse.comparing import compare as compare
    from monosema.features.browse.manifest import Manifest as Manifest
    from monosema.features.browse.query import Query as Query
    from monosema.features.browse.query import Range as Range
    from monosema.features.browse.table import FeatureTable as FeatureTable
    from monosema.features.browse.table import open_table as open_table

_HOMES = {
    "COLUMNS": "columns",
    "FeatureTable": "table",
    "Manifest": "manifest",
    "Query": "query",
    "Range": "query",
    "compare": "comparing",
    "open_table": "table",
}

__all__ = ["COLUMNS", "FeatureTable", "Manifest", "Query", "Range", "compare", "open_table"]

__getattr__ = lazily(__name__, _HOMES)
