"""What a notebook shows: complete, escaped, without script."""

from pathlib import Path

import pytest
from features.made_tables import DEAD_EVERY, PLANTED, Made, make_table

from monosema.core.errors import DataError
from monosema.dashboard.cards import feature_card, scorecard_card
from monosema.features.browse import FeatureTable, open_table

from .examples import scorecard
from .html import read


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> FeatureTable:
    folder: Path = tmp_path_factory.mktemp("cards") / "l1"
    make_table(folder, Made())
    return open_table(folder)


def test_a_feature_shows_its_numbers_and_examples(table: FeatureTable):
    tree = read(feature_card(table, PLANTED, "a <b>label"))
    words = tree.words()
    assert "a <b>label" in words and "+1,500 ±300" in words and not tree.find("b", class_="label")
    tops = table.examples(PLANTED)[0].examples
    assert len(tree.find("ol")[0].find("li")) == len(tops)
    assert " planted" in tree.find("span", class_="chosen")[0].words()


def test_a_card_runs_and_fetches_nothing(table: FeatureTable):
    for card in (feature_card(table, PLANTED), scorecard_card(scorecard())):
        tree = read(card)
        assert not any(tree.find(tag) for tag in ("script", "img", "link", "iframe"))
        assert "url(" not in card and "@import" not in card
        assert all(line.startswith(".monosema-card") for line in tree.find("style")[0].words().strip().splitlines())


def test_a_dead_feature_says_so(table: FeatureTable):
    assert "This feature is dead" in read(feature_card(table, DEAD_EVERY - 1)).words()
    with pytest.raises(DataError, match="features 0 to 59"):
        feature_card(table, 60)


def test_a_scorecard_shows_every_value_beside_its_control():
    words = read(scorecard_card(scorecard())).words()
    assert "0.910" in words and "0.520" in words and "variance explained" in words
