"""A feature table, open for reading: what the pages and the exports ask.

RUN/features/topk/
    features.parquet  -> .page, .scatter, .row          kept in memory: a page costs a few milliseconds
    lists, neighbours -> .feature                       read for the features that are shown
    examples, effects -> .examples
    tokens, contexts, acts_by_pos  -> .documents
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from monosema.core.errors import DataError, RunError
from monosema.core.shown import Shown
from monosema.features.browse import examples
from monosema.features.browse.columns import COLUMNS, Column
from monosema.features.browse.database import Database, among, source
from monosema.features.browse.documents import Documents
from monosema.features.browse.explained import NOTHING, read_explained
from monosema.features.browse.manifest import Manifest, read_manifest
from monosema.features.browse.pages import RARE, order, placed, where
from monosema.features.browse.query import Query
from monosema.features.browse.rows import (
    Axis,
    Cell,
    ExampleGroup,
    Explanation,
    FeatureDetail,
    FeaturePage,
    FeatureRow,
    Histogram,
    LogitEffect,
    Neighbour,
    Overview,
    Scatter,
)
from monosema.features.browse.windows import Windows, windows

N_X, N_Y = 200, 120
"""Cells of a scatter: as many as can be told apart in its picture."""

_STORED = (
    "feature", "n_active", "frequency", "n_documents", "mean_act", "max_act", "importance_attr", "importance_attr_se",
    "importance_total", "importance_total_se", "n_total_documents", "given_fires", "helped", "hurt",
    "importance_direct", "importance_direct_se", "random_total", "enc_norm", "dec_norm", "enc_dec_cosine", "top_token",
    "top_token_share", "floor_text", "floor_r", "floor_f1", "foretells", "neighbour", "neighbour_cosine", "is_dead",
    "is_dense",
)  # fmt: skip
"""The columns of features.parquet."""

_SHOWN = f"""*, {COLUMNS["importance"].expression} AS importance, {RARE} AS is_rare,
CASE WHEN importance_total IS NOT NULL THEN importance_total_se ELSE importance_attr_se END AS importance_se,
CASE WHEN importance_total IS NOT NULL THEN 'total' WHEN importance_attr IS NOT NULL THEN 'attr' ELSE '' END
AS importance_is"""


def open_table(path: Path | str) -> "FeatureTable":
    """The table in the folder `path`, such as RUN/features/topk.

    A table that is still being built opens with what is there. Raises RunError when it is missing or of
    another format, DamagedError naming the file that is not what was written.
    """
    folder = Path(path)
    if not (folder / "table.json").exists():
        raise RunError(f"{folder} holds no feature table: build it with `monosema features RUN`")
    return FeatureTable(folder, read_manifest(folder))


class FeatureTable(Shown):
    """Made by `open_table`. Every method may be called from several threads at once."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path, self.manifest = path, manifest
        self.database = Database([path])
        self.texts = self._texts()
        self.documents = Documents(path, manifest, self.database, self.texts)
        self.explained = read_explained(path, manifest)
        self.ready = self.has("features")
        if self.ready:
            self._keep("features", self._file("features"))
        self.has_control = (path / "control" / "features.parquet").exists()
        if self.has_control:
            self._keep("control", path / "control" / "features.parquet")

    def has(self, name: str) -> bool:
        """Whether a file is there yet, such as 'examples'."""
        return self._file(name).exists()

    def page(self, query: Query, labels: Mapping[int, str] | None = None) -> FeaturePage:
        """The features that the query puts on its page; none while there are no numbers yet."""
        if not self.ready:
            return FeaturePage(query, 0, self.manifest.n_features, ())
        condition = where(query, labels or {})
        n = self.database.rows(f"SELECT count(*) AS n FROM features WHERE {condition.sql}", condition.values)[0]["n"]
        found = self.database.rows(
            f"SELECT {_SHOWN} FROM features WHERE {condition.sql} ORDER BY {order(query)} LIMIT ? OFFSET ?",
            [*condition.values, query.size, (query.page - 1) * query.size],
        )
        bins = self._histograms([row["feature"] for row in found])
        rows = tuple(FeatureRow(**row, histogram=bins.get(row["feature"], ())) for row in found)
        return FeaturePage(query, n, self.manifest.n_features, rows)

    def matching(self, query: Query, labels: Mapping[int, str] | None = None, limit: int | None = None) -> list[int]:
        """The numbers of all features that match, in the query's order, whatever its page."""
        if not self.ready:
            return []
        condition = where(query, labels or {})
        end = "" if limit is None else f"LIMIT {limit}"
        sql = f"SELECT feature FROM features WHERE {condition.sql} ORDER BY {order(query)} {end}"
        return self.database.columns(sql, condition.values)[0]

    def row(self, feature: int) -> FeatureRow:
        """One feature's numbers. Raises DataError saying the range when there is no such feature."""
        return self.rows([self._known(feature)])[0]

    def rows(self, features: Sequence[int]) -> list[FeatureRow]:
        """The numbers of several features, in their order."""
        sql = f"SELECT {_SHOWN} FROM features WHERE list_contains(?::UINTEGER[], feature)"
        found = {row["feature"]: FeatureRow(**row) for row in self.database.rows(sql, [list(features)])}
        return [found[feature] for feature in features]

    def feature(self, feature: int) -> FeatureDetail:
        """Everything of one feature but its examples. Raises DataError when there is no such feature."""
        return self.details([self._known(feature)])[0]

    def details(self, features: Sequence[int]) -> list[FeatureDetail]:
        """The same of several features that there are, in their order."""
        lists = {row["feature"]: row for row in self._of_features("lists", features)}
        near = self._neighbours(features)
        return [
            _detail(row, lists.get(row.feature), near.get(row.feature, ()), self.text) for row in self.rows(features)
        ]

    def examples(self, feature: int) -> tuple[ExampleGroup, ...]:
        """The stored examples of a feature with their effects; none for a dead one, or while unwritten."""
        return self.examples_of([self._known(feature)])[feature]

    def examples_of(self, features: Sequence[int]) -> dict[int, tuple[ExampleGroup, ...]]:
        """The same of several features that there are."""
        return examples.groups(self.database, self.path, features, self.text, self.documents.name)

    def windows(self, features: Sequence[int]) -> Windows:
        """The same of many features, as columns."""
        return windows(self.database, self.path, features, self.documents.name)

    def explanations(self, feature: int) -> tuple[Explanation, ...]:
        """What explainers say of a feature, with their scores; () where it was not explained."""
        return () if self.explained is None else self.explained.of_feature(self._known(feature), self.database)

    def scatter(
        self, query: Query, labels: Mapping[int, str] | None = None, cells: tuple[int, int] = (N_X, N_Y)
    ) -> Scatter:
        """All features by the query's two columns, those that match told apart, in so many cells across and down."""
        x, y = (self._axis(COLUMNS[name], n) for name, n in zip((query.x, query.y), cells, strict=True))
        if not self.ready:
            return Scatter(x, y, (), 0)
        condition = where(query, labels or {})
        at = [
            placed(COLUMNS[a.column], a.low, a.high, a.knee, a.n_cells) if a.low < a.high else "0::INTEGER"
            for a in (x, y)
        ]
        found = self.database.rows(
            f"SELECT {at[0]} AS x, {at[1]} AS y, count(*) AS n, count(*) FILTER ({condition.sql}) AS n_matching,"
            f" coalesce(min(feature) FILTER ({condition.sql}), min(feature)) AS feature FROM features"
            " GROUP BY ALL ORDER BY x, y",
            [*condition.values, *condition.values],
        )
        filled = tuple(Cell(**row) for row in found if row["x"] is not None and row["y"] is not None)
        return Scatter(x, y, filled, sum(row["n"] for row in found) - sum(cell.n for cell in filled))

    def frequencies(self, *, control: bool = False) -> tuple[int, ...]:
        """How many features fire how often, in quarter decades from 1e-7 to 1; dead ones in none."""
        if not (self.has_control if control else self.ready):
            return ()
        placed = "least(27, greatest(0, floor((log10(frequency) + 7) * 4)))::INTEGER"
        table = "control" if control else "features"
        sql = f"SELECT {placed} AS bin, count(*) AS n FROM {table} WHERE frequency > 0 GROUP BY bin"
        found = {row["bin"]: row["n"] for row in self.database.rows(sql)}
        return tuple(found.get(i, 0) for i in range(28))

    def quantiles(self, column: str, *, control: bool = False) -> tuple[float, ...]:
        """The 10%, 50% and 90% quantiles of a column over the features that have it; () when none has."""
        if not (self.has_control if control else self.ready):
            return ()
        sql = f"SELECT quantile_cont({COLUMNS[column].expression}::DOUBLE, [0.1, 0.5, 0.9]) AS q FROM "
        found = self.database.rows(sql + f"{'control' if control else 'features'} WHERE NOT is_dead")[0]["q"]
        return tuple(found or ())

    @cached_property
    def overview(self) -> Overview:
        """What is said of the table as a whole: asked once, since an open table does not change."""
        small = self.scatter(Query(kind="alive"), cells=(N_X // 2, N_Y // 4))
        return Overview(self.counts(), self.frequencies(), self.frequencies(control=True), small)

    def counts(self) -> dict[str, int]:
        """How many features there are of each kind that is said in words."""
        if not self.ready:
            return {}
        sql = f"SELECT count(*) FILTER (is_dead) AS dead, count(*) FILTER (is_dense) AS dense, count(*) FILTER ({RARE})"
        sql += " AS rare, count(importance_total) AS measured, count(importance_attr) AS estimated FROM features"
        return self.database.rows(sql)[0]

    def histograms(self, features: Sequence[int]) -> dict[int, Histogram]:
        """The activations of several features, of those that fire and are in the table."""
        if not features or not self.has("lists"):
            return {}
        path = self._file("lists")
        sql = f"SELECT feature, hist_counts, hist_low, hist_high FROM {source(path)} WHERE feature IN "
        found = self.database.rows(f"{sql}({', '.join('?' * len(features))})", list(features), [path])
        return {
            row["feature"]: Histogram(tuple(row["hist_counts"]), row["hist_low"], row["hist_high"], log=True)
            for row in found
            if sum(row["hist_counts"])
        }

    def text(self, token: int) -> str:
        """A token's text by itself."""
        return self.texts[token] if 0 <= token < len(self.texts) else ""

    def _known(self, feature: int) -> int:
        if not 0 <= feature < self.manifest.n_features:
            last = self.manifest.n_features - 1
            raise DataError(f"there is no feature {feature}: '{self.manifest.dictionary}' has features 0 to {last}")
        if not self.ready:
            raise RunError(f"'{self.manifest.dictionary}' has no numbers yet: its table is being built")
        return feature

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.parquet"

    def _texts(self) -> tuple[str, ...]:
        if not self.has("text"):
            return ()
        path = self._file("text")
        rows = self.database.rows(f"SELECT token, text FROM {source(path)} ORDER BY token", files=[path])
        found = {row["token"]: row["text"] for row in rows}
        return tuple(found.get(token, "") for token in range(max(found, default=-1) + 1))

    def _keep(self, name: str, path: Path) -> None:
        """A table in memory of a features.parquet, with the text of each top token."""
        columns = ", ".join(f"f.{column}" for column in _STORED)
        text = self._file("text")
        joined, texts = (f"LEFT JOIN {source(text)} t ON t.token = f.top_token", "coalesce(t.text, '')")
        if not text.exists():
            joined, texts = "", "''"
        says, files = NOTHING, [path, text]
        if self.explained is not None and name == "features":
            says = "coalesce(e.explanation, '') AS explanation, e.* EXCLUDE (feature, explanation)"
            files = [*files, *self.explained.files]
            joined += f" LEFT JOIN ({self.explained.columns}) e ON e.feature = f.feature"
        sql = f"CREATE TABLE {name} AS SELECT {columns}, {texts} AS top_text, {says} FROM {source(path)} f {joined}"
        self.database.rows(sql + " ORDER BY f.feature", files=files)

    def _of_features(self, name: str, features: Sequence[int]) -> list[dict[str, Any]]:
        path = self._file(name)
        if not features or not path.exists():
            return []
        return self.database.rows(f"SELECT * FROM {source(path)} WHERE {among(features)}", files=[path])

    def _histograms(self, features: list[int]) -> dict[int, tuple[int, ...]]:
        if not features or not self.has("lists"):
            return {}
        path = self._file("lists")
        sql = f"SELECT feature, hist_counts FROM {source(path)} WHERE feature IN ({', '.join('?' * len(features))})"
        found = self.database.rows(sql, features, [path])
        return {row["feature"]: tuple(row["hist_counts"] or ()) for row in found}

    def _neighbours(self, features: Sequence[int]) -> dict[int, tuple[Neighbour, ...]]:
        path, found = self._file("neighbours"), defaultdict[int, list[Neighbour]](list)
        if not features or not path.exists():
            return {}
        rows = self.database.rows(
            f"SELECT n.*, coalesce(f.floor_text, '') AS floor_text FROM {source(path)} n LEFT JOIN features f"
            f" ON n.dictionary = '' AND f.feature = n.other WHERE {among(features, 'n.feature')}"
            " ORDER BY n.dictionary, n.kind, n.rank",
            files=[path],
        )
        for n in rows:
            found[n["feature"]].append(Neighbour(n["kind"], n["dictionary"], n["other"], n["value"], n["floor_text"]))
        return {feature: tuple(near) for feature, near in found.items()}

    def _axis(self, column: Column, n_cells: int) -> Axis:
        if not self.ready:
            return Axis(column.name, column.scale, 0.0, 0.0, 1.0, n_cells)
        kept = f"WHERE {column.expression} > 0" if column.scale == "log" else ""
        sql = "SELECT min(v) AS low, max(v) AS high, quantile_cont(abs(v), 0.25) AS knee FROM (SELECT "
        found = self.database.rows(f"{sql}{column.expression}::DOUBLE AS v FROM features {kept})")[0]
        low, high = found["low"] or 0.0, found["high"] or 0.0
        return Axis(column.name, column.scale, low, high, found["knee"] or 1.0, n_cells)


def _detail(
    row: FeatureRow, own: dict[str, Any] | None, near: tuple[Neighbour, ...], text: Callable[[int], str]
) -> FeatureDetail:
    if own is None:
        return FeatureDetail(row, None, (), (), (), None, near)

    def effects(listed: list[dict[str, Any]] | None) -> tuple[LogitEffect, ...]:
        return tuple(LogitEffect(e["token"], text(e["token"]), e["effect"]) for e in listed or ())

    acts = Histogram(tuple(own["hist_counts"]), own["hist_low"], own["hist_high"], log=True)
    logits = None
    if own["logit_hist"] is not None:
        logits = Histogram(tuple(own["logit_hist"]), own["logit_low"], own["logit_high"], log=False)
    return FeatureDetail(
        row=row,
        acts=None if row.is_dead else acts,
        by_position=tuple(own["by_position"]),
        top_logits=effects(own["top_logits"]),
        bottom_logits=effects(own["bottom_logits"]),
        logits=logits,
        neighbours=near,
    )
