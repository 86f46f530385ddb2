"""What is taken away: some features of one table, with what people say of them, read a few at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monosema.core.errors import DataError
from monosema.features.browse import FeatureTable, Query
from monosema.features.browse.rows import ExampleGroup, FeatureDetail

AT_ONCE = 2000
"""Features in a download from the browser; the command line writes any number."""

READ_AT_ONCE = 128
"""Features that are read from the table together."""


@dataclass(frozen=True)
class Selection:
    """The features to write, in order, and the label of each that has one."""

    table: FeatureTable
    features: Sequence[int]
    labels: Mapping[int, str]
    query: str

    def each(self) -> Iterator[tuple[FeatureDetail, tuple[ExampleGroup, ...]]]:
        """One feature after the other, with its examples."""
        for first in range(0, len(self.features), READ_AT_ONCE):
            some = self.features[first : first + READ_AT_ONCE]
            groups = self.table.examples_of(some)
            for detail in self.table.details(some):
                yield detail, groups[detail.row.feature]


def select(table: FeatureTable, query: Query, labels: Mapping[int, str], limit: int | None = None) -> Selection:
    """The features that match `query`, whatever its page. Raises DataError when none does."""
    features = table.matching(query, labels, limit)
    if not features:
        raise DataError(
            f"no feature of '{table.manifest.dictionary}' matches '{query.to_url()}': there is nothing to write"
        )
    return Selection(table, features, labels, query.to_url())
