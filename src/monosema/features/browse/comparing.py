"""Two dictionaries of the same text side by side: who is whose counterpart, and who has none.

By decoder cosine where the left table's neighbours name the right one; else by co-activation, the
cosine of the two features' firing patterns n_both / sqrt(n_left n_right) on a stretch of the corpus.
A feature of the left splits where several of the right have it as their best match; a part of it that
fires at most half as often, while another keeps firing as often, is a candidate for absorption
(Chanin et al. 2024, "A is for Absorption"): look before you believe it.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from monosema.core.errors import MismatchError
from monosema.features.browse.database import Database, source
from monosema.features.browse.query import Query
from monosema.features.browse.rows import FeatureRow
from monosema.features.browse.table import FeatureTable

MATCHED, UNMATCHED = 0.7, 0.4
"""From here up a pair is a match; below, the feature counts as having none."""

STRETCH = 1024
"""Positions on which co-activation is counted."""


@dataclass(frozen=True)
class Pair:
    """A feature and its best match in the other dictionary."""

    left: FeatureRow
    right: FeatureRow
    value: float


@dataclass(frozen=True)
class Split:
    """A feature of the left and the features of the right that have it as their best match, most
    frequent first. `absorbed` are those that look like parts taken out of it."""

    left: FeatureRow
    parts: tuple[tuple[FeatureRow, float], ...]
    absorbed: tuple[int, ...]


@dataclass(frozen=True)
class Shift:
    """The 10%, 50% and 90% quantiles of a column on both sides and on their controls; () where there are none."""

    column: str
    left: tuple[float, ...]
    right: tuple[float, ...]
    left_control: tuple[float, ...]
    right_control: tuple[float, ...]


@dataclass(frozen=True)
class Comparison:
    """`by` says how pairs were found. Counts are over the alive features of the left that have a match."""

    by: str
    pairs: tuple[Pair, ...]
    unmatched: tuple[Pair, ...]
    splits: tuple[Split, ...]
    shifts: tuple[Shift, ...]
    n_paired: int
    n_matched: int
    n_unmatched: int
    n_splits: int
    histogram: tuple[int, ...]


SHIFTED = ("frequency", "importance_attr", "mean_act", "floor_r", "enc_dec_cosine", "foretells")

_BY_IMPORTANCE = Query(kind="alive")

Matches = Mapping[int, tuple[int, float]]
"""For each feature of the left its best match of the right, and how good it is."""

Parts = list[tuple[int, float]]
"""Features of the right with how well each matches."""


def compare(left: FeatureTable, right: FeatureTable, limit: int = 50) -> Comparison:
    """The `limit` most important matched pairs, the most important features without a match, and the widest splits.

    Raises MismatchError when the two cannot be compared: other text and no neighbours named.
    """
    matches, back, by = matched(left, right)
    order = {row: i for i, row in enumerate(left.matching(_BY_IMPORTANCE))}
    ranked = sorted(matches, key=lambda feature: order.get(feature, len(order)))
    good = [f for f in ranked if matches[f][1] >= MATCHED]
    alone = [f for f in ranked if matches[f][1] < UNMATCHED]
    parts: dict[int, Parts] = defaultdict(list)
    for feature, (other, value) in back.items():
        if value >= UNMATCHED:
            parts[other].append((feature, value))
    wide = sorted((f for f in parts if len(parts[f]) > 1), key=lambda f: (-len(parts[f]), order.get(f, 0)))
    histogram = [0] * 20
    for _, value in matches.values():
        histogram[min(19, max(0, int(value * 20)))] += 1
    return Comparison(
        by=by,
        pairs=_pairs(left, right, good[:limit], matches),
        unmatched=_pairs(left, right, alone[:limit], matches),
        splits=_splits(left, right, wide[:limit], parts),
        shifts=tuple(_shift(left, right, column) for column in SHIFTED),
        n_paired=len(matches),
        n_matched=len(good),
        n_unmatched=len(alone),
        n_splits=len(wide),
        histogram=tuple(histogram),
    )


def matched(left: FeatureTable, right: FeatureTable) -> tuple[Matches, Matches, str]:
    """Best matches from left to right and from right to left, and how they were found."""
    there, back = _named(left, right), _named(right, left)
    if there or back:
        return there or _turned(back), back or _turned(there), "decoder cosine"
    if (
        left.manifest.corpus_fingerprint != right.manifest.corpus_fingerprint
        or left.manifest.context != right.manifest.context
    ):
        raise MismatchError(
            f"'{left.manifest.dictionary}' and '{right.manifest.dictionary}' were tabulated on other text and neither "
            "names the other's features as neighbours: build both tables on one corpus"
        )
    there, back = _coactive(left, right)
    return there, back, f"co-activation on {STRETCH:,} positions"


def _named(table: FeatureTable, other: FeatureTable) -> Matches:
    if not table.has("neighbours"):
        return {}
    path = table.path / "neighbours.parquet"
    sql = f"SELECT feature, other, value FROM {source(path)} WHERE dictionary = ? AND kind = 'decoder'"
    sql += " QUALIFY row_number() OVER (PARTITION BY feature ORDER BY value DESC, other) = 1"
    found = table.database.rows(sql, [other.manifest.dictionary], [path])
    return {row["feature"]: (row["other"], row["value"]) for row in found if row["other"] < other.manifest.n_features}


def _turned(matches: Matches) -> Matches:
    """The best match of each right feature among the left features that chose it."""
    best: dict[int, tuple[int, float]] = {}
    for feature, (other, value) in matches.items():
        if other not in best or value > best[other][1]:
            best[other] = (feature, value)
    return best


def _coactive(left: FeatureTable, right: FeatureTable) -> tuple[Matches, Matches]:
    files = [table.path / "acts_by_pos.parquet" for table in (left, right)]
    if not all(path.exists() for path in files):
        return {}, {}
    both = Database([left.path, right.path])
    counted = " SELECT feature, count(*) AS n FROM {} GROUP BY feature"
    found = both.rows(
        f"WITH l AS (SELECT pos, feature FROM {source(files[0])} WHERE pos < {STRETCH}),"
        f" r AS (SELECT pos, feature FROM {source(files[1])} WHERE pos < {STRETCH}),"
        f" nl AS ({counted.format('l')}), nr AS ({counted.format('r')}),"
        " pairs AS (SELECT l.feature AS a, r.feature AS b, count(*) AS n FROM l JOIN r USING (pos) GROUP BY ALL),"
        " valued AS (SELECT a, b, pairs.n / sqrt(nl.n * nr.n) AS value FROM pairs"
        " JOIN nl ON nl.feature = a JOIN nr ON nr.feature = b)"
        " SELECT *, row_number() OVER (PARTITION BY a ORDER BY value DESC, b) AS there,"
        " row_number() OVER (PARTITION BY b ORDER BY value DESC, a) AS back FROM valued QUALIFY there = 1 OR back = 1",
        files=files,
    )
    there = {row["a"]: (row["b"], row["value"]) for row in found if row["there"] == 1}
    back = {row["b"]: (row["a"], row["value"]) for row in found if row["back"] == 1}
    return there, back


def _pairs(left: FeatureTable, right: FeatureTable, features: list[int], matches: Matches) -> tuple[Pair, ...]:
    others = right.rows([matches[f][0] for f in features])
    return tuple(Pair(a, b, matches[a.feature][1]) for a, b in zip(left.rows(features), others, strict=True))


def _splits(left: FeatureTable, right: FeatureTable, wide: list[int], parts: Mapping[int, Parts]) -> tuple[Split, ...]:
    wholes = left.rows(wide)
    found = {row.feature: row for row in right.rows([part for feature in wide for part, _ in parts[feature]])}
    return tuple(_split(whole, [(found[part], value) for part, value in parts[whole.feature]]) for whole in wholes)


def _split(whole: FeatureRow, parts: list[tuple[FeatureRow, float]]) -> Split:
    parts = sorted(parts, key=lambda part: (-part[0].frequency, part[0].feature))
    small = [row.feature for row, _ in parts if row.frequency <= 0.5 * whole.frequency]
    return Split(whole, tuple(parts), tuple(small) if len(small) < len(parts) else ())


def _shift(left: FeatureTable, right: FeatureTable, column: str) -> Shift:
    ends = ((left, False), (right, False), (left, True), (right, True))
    return Shift(column, *(table.quantiles(column, control=control) for table, control in ends))
