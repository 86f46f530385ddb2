"""What is taken away: some features of one table, with what people say of them, read a few at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monosema.core.errors import DataError
from monosema.features.browse import FeatureTable, Query
from monosema.features.browse.rows import ExampleGroup, FeatureDetail

AT_ONCE = 2000
"""Features in a download from the browser; the command line writes any number."""


@dataclass(frozen=True)
class Selection:
    """The features to write, in order, and the label of each that has one."""

    table: FeatureTable
    features: Sequence[int]
    labels: Mapping[int, str]
    query: str

    def each(self) -> Iterator[tuple[FeatureDetail, tuple[ExampleGroup, ...]]]:
        """One feature after the other, with its examples."""
        for feature in self.features:
            yield self.table.feature(feature), self.table.examples(feature)


def select(table: FeatureTable, query: Query, labels: Mapping[int, str], limit: int | None = None) -> Selection:
    """The features that match `query`, whatever its page. Raises DataError when none does."""
    features = table.matching(query, labels, limit)
    if not features:
        raise DataError(
            f"no feature of '{table.manifest.dictionary}' matches '{query.to_url()}': there is nothing to write"
        )
    return Selection(table, features, labels, query.to_url())
