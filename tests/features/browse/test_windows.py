"""Windows as columns say what the same windows say as rows."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest

from features.made_tables import DEAD_EVERY, PLANTED, Made, make_table
from monosema.core.errors import DamagedError
from monosema.features.browse import FeatureTable, open_table
from monosema.features.browse.windows import Windows

ASKED = (9, PLANTED, DEAD_EVERY - 1, 0, 4)
"""In no order, a dead one among them."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_table(tmp_path / "l1", Made())
    return tmp_path / "l1"


def numbers(column: np.ndarray, part: slice) -> list[float | None]:
    return [None if value != value else value for value in column[part].tolist()]


def groups_of(windows: Windows, i: int) -> list[tuple]:
    """Every group of the i-th feature, its windows written out."""
    found = []
    for group, members in windows.groups[i]:
        shown = []
        for j in (int(windows.edges[i]) + member for member in members):
            tokens = slice(*windows.token_edges[j : j + 2].tolist())
            texts = tuple(windows.texts[word] for word in windows.word[tokens])
            own = (windows.names[j], int(windows.pos[j]), int(windows.at[j]), float(windows.act[j]))
            effects = (numbers(windows.total, tokens), numbers(windows.direct, tokens))
            p = numbers(np.array([windows.p_with[j], windows.p_without[j]]), slice(2))
            shown.append((*own, texts, tuple(windows.acts[tokens].tolist()), *effects, *p))
        found.append((group, shown))
    return found


def rows_of(table: FeatureTable, features: Sequence[int]) -> list[list[tuple]]:
    """The same from the examples as rows."""
    found, examples = [], table.examples_of(features)
    for feature in features:
        groups = []
        for group in examples[feature]:
            shown = []
            for e in group.examples:
                effect, absent = e.effect, [None] * len(e.texts)
                total, direct = ([*effect.total], [*effect.direct]) if effect else ([], [])
                p = (effect.p_with, effect.p_without) if effect else (None, None)
                shown.append((e.name, e.pos, e.at, e.act, e.texts, e.acts, total or absent, direct or absent, *p))
            groups.append((replace(group, examples=()), shown))
        found.append(groups)
    return found


def rewritten(path: Path, query: str) -> None:
    duckdb.sql(f"COPY ({query.format(path)}) TO '{path}.new' (FORMAT parquet)")
    Path(f"{path}.new").replace(path)


SOME = """
    SELECT * REPLACE (CASE WHEN pos % 3 = 0 THEN NULL ELSE dloss_direct END AS dloss_direct,
                      CASE WHEN pos % 5 = 0 THEN NULL ELSE p_with END AS p_with,
                      [CASE WHEN i % 4 = 0 THEN NULL ELSE x END FOR x, i IN dloss_total] AS dloss_total)
    FROM '{}' WHERE pos % 2 = 0
"""


@pytest.mark.parametrize("effects", ["all", "some", "none"])
def test_columns_and_rows_say_the_same(folder: Path, effects: str):
    if effects == "some":
        rewritten(folder / "effects.parquet", SOME)
    if effects == "none":
        (folder / "effects.parquet").unlink()
    table = open_table(folder)
    windows = table.windows(ASKED)
    assert [groups_of(windows, i) for i in range(len(ASKED))] == rows_of(table, ASKED)
    assert not windows.groups[2] and windows.groups[1]
    largest = [
        max((abs(x) for g in table.examples(f) for e in g.examples if e.effect for x in e.effect.total if x), default=0)
        for f in ASKED
    ]
    assert windows.largest_effects().tolist() == largest
    assert (max(largest) > 0) == (effects != "none")


def test_texts_stay_with_their_windows_in_a_file_of_many_row_groups(tmp_path: Path):
    # DuckDB reads row groups on several threads and joins them to a long list of features: rows come in any order.
    make_table(tmp_path / "l1", Made(n_features=300, n_tokens=4096))
    examples = tmp_path / "l1" / "examples.parquet"
    duckdb.sql(
        f"COPY (SELECT e.* FROM '{examples}' e, range(20) copy ORDER BY copy.range, feature) TO '{examples}.new' "
        "(FORMAT parquet, ROW_GROUP_SIZE 2048)"
    )
    Path(f"{examples}.new").replace(examples)
    found = duckdb.sql(f"SELECT DISTINCT feature, pos, texts FROM '{examples}'").fetchall()
    stored, asked = {(feature, pos): texts for feature, pos, texts in found}, range(0, 300, 2)
    windows = open_table(tmp_path / "l1").windows(asked)
    assert len(windows.pos) == sum(feature % 2 == 0 for feature, _ in stored)
    words = np.array(windows.texts, dtype=object)[windows.word]
    for i, (feature, pos) in enumerate(zip(windows.feature.tolist(), windows.pos.tolist(), strict=True)):
        its = slice(*windows.token_edges[i : i + 2].tolist())
        assert words[its].tolist() == stored[asked[feature], pos]


def test_a_window_that_stands_in_two_groups_is_there_once(folder: Path):
    table = open_table(folder)
    places = [e.pos for group in table.examples(PLANTED) for e in group.examples]
    windows = table.windows([PLANTED])
    assert len(windows.pos) == len(set(places)) < len(places)


def test_steps_are_of_each_features_own_largest(folder: Path):
    windows = open_table(folder).windows(ASKED)
    steps = windows.in_steps(windows.acts, [2.0, 1.0, 1.0, 0.0, 4.0], 100, -7)
    for i, largest in enumerate((2.0, 1.0, 1.0, 0.0, 4.0)):
        its = slice(*windows.token_edges[windows.edges[i : i + 2]].tolist())
        wanted = [round(100 * act / largest) if largest else -7 for act in windows.acts[its].tolist()]
        assert steps[its].tolist() == wanted


def test_there_are_none_before_they_are_written(folder: Path):
    (folder / "examples.parquet").unlink()
    windows = open_table(folder).windows(ASKED)
    assert windows.groups == ((),) * len(ASKED) and not len(windows.word)
    assert windows.largest_effects().tolist() == [0.0] * len(ASKED)


def test_effects_of_other_windows_are_refused(folder: Path):
    rewritten(
        folder / "effects.parquet", "SELECT * REPLACE (dloss_total[2:] AS dloss_total, NULL AS dloss_direct) FROM '{}'"
    )
    with pytest.raises(DamagedError, match=r"effects\.parquet has effects of other windows than examples\.parquet"):
        open_table(folder).windows(ASKED)
