"""Tables give back what was put in: against the world they were made from, and a filter in plain Python."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from features.made_tables import DEAD_EVERY, DENSE, HALVES, PLANTED, RARE, WHOLE, Made, World, make_table
from monosema.core.errors import DamagedError, DataError, RunError
from monosema.features.browse import COLUMNS, FeatureTable, Query, Range, open_table
from monosema.features.browse.rows import FeatureRow

DEAD = DEAD_EVERY - 1
EVERYTHING = Query(size=200, sort="feature", descending=False)


@pytest.fixture(scope="module")
def rows(table: FeatureTable) -> tuple[FeatureRow, ...]:
    return table.page(EVERYTHING).rows


def test_numbers_are_those_of_the_world(world: World, rows: tuple[FeatureRow, ...]):
    assert [row.feature for row in rows] == list(range(world.made.n_features))
    for row in rows:
        at, acts = world.fires(row.feature)
        assert row.n_active == len(at)
        assert row.is_dead == (len(at) == 0)
        if len(at):
            assert row.max_act == pytest.approx(float(acts.max()))
            assert row.n_documents == len(set(world.document[at].tolist()))
            assert row.top_text == world.texts[np.bincount(world.ids[at]).argmax()]


def test_the_planted_feature_comes_first_and_the_others_are_what_they_are(table: FeatureTable):
    first = table.page(Query(size=1)).rows[0]
    assert (first.feature, first.importance, first.importance_is, first.top_text) == (PLANTED, 1.5, "total", " planted")
    assert table.row(DENSE).is_dense and not table.row(PLANTED).is_dense
    assert table.row(RARE).is_rare and not table.row(DENSE).is_rare
    assert table.row(DEAD).is_dead and not table.row(DEAD).is_rare


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("descending", [True, False])
def test_every_column_sorts_and_what_has_no_number_comes_last(
    table: FeatureTable, rows: tuple[FeatureRow, ...], column: str, descending: bool
):
    def key(row: FeatureRow) -> tuple[bool, float, int]:
        value = getattr(row, column)
        return value is None, 0.0 if value is None else (-value if descending else value), row.feature

    found = table.page(Query(sort=column, descending=descending, size=200)).rows
    assert [row.feature for row in found] == [row.feature for row in sorted(rows, key=key)]


def test_filters_keep_what_they_say(table: FeatureTable, rows: tuple[FeatureRow, ...]):
    labels = {4: "Open PARENTHESIS", 9: "planted too"}

    def numbers(query: Query) -> set[int]:
        return set(table.matching(query, labels))

    assert numbers(Query(kind="dead")) == {row.feature for row in rows if row.is_dead}
    assert numbers(Query(kind="alive")) == {row.feature for row in rows if not row.is_dead}
    assert numbers(Query(kind="dense")) == {row.feature for row in rows if row.frequency > 0.1}
    assert numbers(Query(kind="rare")) == {row.feature for row in rows if 0 < row.n_active < 10}
    low, high = 0.01, 0.1
    between = Query(ranges=(Range("frequency", low, high), Range("importance", low=0.0)))
    wanted = {r.feature for r in rows if low <= r.frequency <= high and r.importance is not None and r.importance >= 0}
    assert numbers(between) == wanted and wanted
    assert numbers(Query(labelled="yes")) == {4, 9}
    assert numbers(Query(labelled="no")) == set(range(60)) - {4, 9}
    assert numbers(Query(text="parenthesis")) == {4}
    assert {PLANTED, 9} <= numbers(Query(text="PLANTED"))
    assert 17 in numbers(Query(text="17"))
    assert numbers(Query(text="%")) == set(), "a text is no pattern"


def test_pages_are_the_whole_list_in_pieces(table: FeatureTable):
    pieces = [table.page(Query(size=25, page=page)) for page in (1, 2, 3, 4)]
    assert [len(piece.rows) for piece in pieces] == [25, 25, 10, 0]
    assert all(piece.n_matching == 60 for piece in pieces)
    assert [row.feature for piece in pieces for row in piece.rows] == table.matching(Query())


def test_one_feature_has_its_lists(table: FeatureTable, world: World):
    detail = table.feature(PLANTED)
    at, acts = world.fires(PLANTED)
    assert detail.acts is not None and sum(detail.acts.counts) == len(at)
    assert detail.acts.low == pytest.approx(float(acts.min())) and detail.acts.high == pytest.approx(2.0)
    assert sum(detail.by_position) == len(at)
    assert [e.effect for e in detail.top_logits] == sorted((e.effect for e in detail.top_logits), reverse=True)
    assert all(e.text == world.texts[e.token] for e in detail.top_logits)
    assert {n.kind for n in detail.neighbours} == {"decoder", "encoder", "coactivation", "logit"}


def test_examples_are_windows_of_the_text_with_the_activations_there(table: FeatureTable, world: World):
    texts = world.window_texts()
    for feature in (PLANTED, DENSE, RARE):
        acts = dict(zip(*(values.tolist() for values in world.fires(feature)), strict=True))
        groups = table.examples(feature)
        assert groups[0].name == "top" and len({e.document for e in groups[0].examples}) == len(groups[0].examples)
        for example in (example for group in groups for example in group.examples):
            places = range(example.start, example.start + len(example.ids))
            assert list(example.ids) == world.ids[places.start : places.stop].tolist()
            assert list(example.texts) == [texts[i] for i in example.ids]
            assert list(example.acts) == pytest.approx([acts.get(place, 0.0) for place in places])
            assert example.act == example.acts[example.at]
            assert example.effect is not None and len(example.effect.total) == len(example.ids)
    intervals = [group for group in table.examples(DENSE) if group.name == "interval"]
    assert [group.low for group in intervals] == sorted((group.low for group in intervals), reverse=True)


def test_many_features_at_once_are_the_same_as_one_by_one(table: FeatureTable):
    asked = [RARE, PLANTED, DEAD, DENSE, 59]
    assert table.details(asked) == [table.feature(feature) for feature in asked]
    assert table.examples_of(asked) == {feature: table.examples(feature) for feature in asked}


def test_a_dead_feature_has_no_examples_and_no_histogram(table: FeatureTable):
    assert table.examples(DEAD) == ()
    assert table.feature(DEAD).acts is None


def test_a_document_shows_what_fires_where(table: FeatureTable, world: World):
    own = np.flatnonzero(world.document == 1)
    page = table.documents.page(1, None, None, PLANTED)
    assert [t.pos for t in page.tokens] == own[: len(page.tokens)].tolist()
    assert [t.id for t in page.tokens] == world.ids[own][: len(page.tokens)].tolist()
    assert not page.alone and WHOLE in [t.text for t in page.tokens if t.id == HALVES[1]]
    chosen = next(t.pos for t in page.tokens if t.act > 0)
    fires = {f: dict(zip(*world.fires(f), strict=True)) for f in range(world.made.n_features)}
    firing = table.documents.page(1, None, chosen, None).firing
    assert {f.feature: f.act for f in firing} == pytest.approx(
        {f: float(acts[chosen]) for f, acts in fires.items() if chosen in acts}
    )
    assert [f.act for f in firing] == sorted((f.act for f in firing), reverse=True)
    counts = {t.pos: t.n_firing for t in page.tokens}
    assert counts[chosen] == len(firing)


def test_the_pages_of_a_document_are_the_document(table: FeatureTable, world: World):
    found, start = [], None
    while True:
        page = table.documents.page(0, start, None, None)
        found += [t.pos for t in page.tokens]
        if page.following is None:
            break
        start = page.following
    assert found == np.flatnonzero(world.document == 0).tolist()


def test_the_scatter_places_every_feature_that_has_a_place(table: FeatureTable, rows: tuple[FeatureRow, ...]):
    scatter = table.scatter(Query(kind="dense"))
    with_place = [row for row in rows if row.frequency > 0 and row.importance is not None]
    assert sum(cell.n for cell in scatter.cells) == len(with_place)
    assert scatter.n_left_out == len(rows) - len(with_place)
    assert sum(cell.n_matching for cell in scatter.cells) == sum(row.is_dense for row in rows)
    row = max(with_place, key=lambda row: row.frequency)
    assert any(cell.x == scatter.x.n_cells - 1 and cell.feature == row.feature for cell in scatter.cells)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda t: t.feature(60), "there is no feature 60: 'first' has features 0 to 59"),
        (lambda t: t.examples(-1), "there is no feature -1"),
        (lambda t: t.documents.page(999, None, None, None), "there is no document 999"),
        (lambda t: t.documents.page(0, None, 10**9, None), "beyond the last token"),
        (lambda t: t.documents.page(1, 0, None, None), "position 0 is not in document 1"),
    ],
)
def test_what_is_not_there_is_said(table: FeatureTable, ask, says: str):
    with pytest.raises(DataError, match=says):
        ask(table)


def changed(folder: Path, **values: object) -> None:
    path = folder / "table.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_another_format_says_what_to_do(copied: Path):
    changed(copied, format=0)
    with pytest.raises(RunError, match="format 0, this version reads 1: build it again with `monosema features RUN`"):
        open_table(copied)
    changed(copied, format=2)
    with pytest.raises(RunError, match="open it with the monosema that wrote it"):
        open_table(copied)


def test_no_table_says_what_to_do(tmp_path: Path):
    with pytest.raises(RunError, match="build it with `monosema features RUN`"):
        open_table(tmp_path)


@pytest.mark.parametrize("name", ["features", "examples", "lists", "acts_by_pos", "documents", "text", "contexts"])
def test_a_damaged_file_is_named(copied: Path, name: str):
    path = copied / f"{name}.parquet"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DamagedError, match=f"{name}.parquet is damaged"):
        table = open_table(copied)
        table.page(Query())
        table.feature(PLANTED)
        table.examples(PLANTED)
        table.documents.page(0, None, None, None)


def test_a_column_that_is_missing_is_named(copied: Path):
    import pyarrow.parquet as pq

    features = pq.read_table(copied / "features.parquet").drop_columns(["floor_r"])
    pq.write_table(features, copied / "features.parquet")
    with pytest.raises(DamagedError, match=r"features.parquet.*floor_r"):
        open_table(copied)


def test_a_manifest_that_was_cut_is_named(copied: Path):
    changed(copied, findings=[{"name": "x"}])
    with pytest.raises(DamagedError, match="a finding that does not read"):
        open_table(copied)
    (copied / "table.json").write_text("{")
    with pytest.raises(DamagedError, match="not valid JSON"):
        open_table(copied)


def test_a_table_that_is_being_built_serves_what_is_there(copied: Path):
    for name in ("features", "lists", "examples", "effects", "neighbours", "acts_by_pos", "control/features"):
        (copied / f"{name}.parquet").unlink()
    path = copied / "table.json"
    kept = ("format", "dictionary", "architecture", "n_features", "reads", "writes", "model_fingerprint",
            "dictionary_fingerprint", "context")  # fmt: skip
    whole = json.loads(path.read_text())
    path.write_text(
        json.dumps({k: whole[k] for k in kept} | {"state": "building", "stage": "sort", "done": 3, "total": 9})
    )
    table = open_table(copied)
    assert table.manifest.building and table.page(Query()).rows == () and table.matching(Query()) == []
    assert table.scatter(Query()).cells == () and table.counts() == {} and table.frequencies() == ()
    page = table.documents.page(0, None, None, None)
    assert page.tokens and page.strongest == ()
    with pytest.raises(RunError, match="has no numbers yet: its table is being built"):
        table.feature(1)


def test_without_effects_nothing_is_invented(tmp_path: Path):
    make_table(tmp_path / "bare", Made(n_features=12, effects=False, control=False))
    table = open_table(tmp_path / "bare")
    row = table.row(PLANTED)
    assert (row.importance, row.importance_is, row.importance_se) == (None, "", None)
    assert all(example.effect is None for group in table.examples(PLANTED) for example in group.examples)
    assert table.frequencies(control=True) == () and table.quantiles("importance") == ()


def test_a_folder_may_be_called_anything(made, tmp_path: Path):
    import shutil

    odd = tmp_path / "it's [1] * ? {x}"
    shutil.copytree(made[0] / "features" / "first", odd)
    table = open_table(odd)
    assert table.row(PLANTED).feature == PLANTED and table.examples(PLANTED)


def test_nothing_else_on_the_disk_can_be_read(table: FeatureTable, tmp_path: Path):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(DamagedError, match="disabled by configuration"):
        table.database.rows(f"SELECT * FROM read_csv('{tmp_path / 'secret.csv'}')")
    with pytest.raises(DamagedError, match="lock"):
        table.database.rows("SET enable_external_access = true")


def test_many_may_ask_at_once(table: FeatureTable):
    wanted = {feature: table.examples(feature) for feature in range(10)}
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: (i % 10, table.examples(i % 10), table.row(i % 10)), range(200)))
    assert all(examples == wanted[feature] and row.feature == feature for feature, examples, row in found)
