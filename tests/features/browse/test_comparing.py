"""Two dictionaries: a turned copy is recognised feature by feature, noise is not."""

import json
import shutil
from pathlib import Path

import pytest

from features.made_tables import World
from monosema.core.errors import MismatchError
from monosema.features.browse import compare, open_table
from monosema.features.browse.comparing import matched

from .conftest import SHIFT

Made = tuple[Path, dict[str, World]]


def tables(made: Made, *names: str):
    return [open_table(made[0] / "features" / name) for name in names]


def test_coactivation_finds_the_turned_copy(made: Made):
    first, third = tables(made, "first", "third")
    there, back, by = matched(first, third)
    assert by == "co-activation on 1,024 positions"
    often = [feature for feature in there if len(made[1]["first"].fires(feature)[0]) > 60]
    assert len(often) > 30
    for feature in often:
        turned = (feature + SHIFT) % 60
        assert there[feature] == (turned, pytest.approx(1.0)) and back[turned] == (feature, pytest.approx(1.0))


def test_neighbours_that_name_the_other_are_believed(made: Made):
    second, first = tables(made, "second", "first")
    there, back, by = matched(second, first)
    assert by == "decoder cosine"
    assert all(other == (feature - SHIFT) % 60 for feature, (other, _) in there.items())
    assert back[0] == (SHIFT, there[SHIFT][1])
    turned, _, _ = matched(first, second)
    assert turned == back


def test_the_comparison_counts_and_lists(made: Made):
    second, first = tables(made, "second", "first")
    found = compare(second, first)
    matches, _, _ = matched(second, first)
    assert found.n_paired == 60 == sum(found.histogram)
    assert found.n_matched == sum(value >= 0.7 for _, value in matches.values())
    assert found.n_unmatched == 6 == len(found.unmatched)
    assert all(pair.value < 0.4 for pair in found.unmatched)
    importances = [pair.left.importance for pair in found.pairs if pair.left.importance is not None]
    assert importances == sorted(importances, reverse=True)
    shift = next(shift for shift in found.shifts if shift.column == "importance_attr")
    assert shift.left_control == pytest.approx([value / 50 for value in shift.left], rel=0.2)


def test_a_feature_that_splits_is_listed_with_its_parts(made: Made, tmp_path: Path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    run = Path(shutil.copytree(made[0], tmp_path / "run"))
    path = run / "features" / "second" / "neighbours.parquet"
    found = pq.read_table(path).to_pylist()
    for row in found:  # every named neighbour of a feature of the second is feature 3 of the first
        if row["dictionary"]:
            row["other"], row["value"] = 3, 0.9 if row["feature"] in (10, 11, 12) else 0.1
    pq.write_table(pa.Table.from_pylist(found, pq.read_schema(path)), path)
    left, right = (open_table(run / "features" / name) for name in ("first", "second"))
    splits = compare(left, right).splits
    assert [(split.left.feature, sorted(row.feature for row, _ in split.parts)) for split in splits] == [
        (3, [10, 11, 12])
    ]
    halves = {row.feature for row, _ in splits[0].parts if row.frequency <= splits[0].left.frequency / 2}
    assert set(splits[0].absorbed) == (halves if len(halves) < 3 else set())


def test_other_text_cannot_be_compared(made: Made, copied: Path):
    path = copied / "table.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "corpus_fingerprint": "c" * 16}))
    with pytest.raises(MismatchError, match="build both tables on one corpus"):
        compare(open_table(copied), tables(made, "third")[0])
