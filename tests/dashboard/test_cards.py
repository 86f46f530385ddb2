"""What a notebook shows: complete, escaped, without script, and without being asked for."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from features.made_tables import DEAD_EVERY, PLANTED, Made, make_run, make_table

from monosema import dictionaries
from monosema.core.errors import ConfigError, DataError
from monosema.core.runs import write_json
from monosema.dashboard import card
from monosema.dashboard.cards import feature_card, scorecard_card
from monosema.dictionaries import Dictionary, parse_spec
from monosema.dictionaries.weights import Weights
from monosema.features.browse import FeatureTable, Query, open_table
from monosema.features.labels import Label, LabelStore

from .examples import scorecard
from .html import read

NASTY = "<script>alert(1)</script>"


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
    for shown in (feature_card(table, PLANTED), scorecard_card(scorecard()), card(table), card(dictionary())):
        tree = read(shown)
        assert not any(tree.find(tag) for tag in ("script", "img", "link", "iframe"))
        assert "url(" not in shown and "@import" not in shown
        assert all(line.startswith(".monosema-card") for line in tree.find("style")[0].words().strip().splitlines())


def test_a_dead_feature_says_so(table: FeatureTable):
    assert "This feature is dead" in read(feature_card(table, DEAD_EVERY - 1)).words()
    with pytest.raises(DataError, match="features 0 to 59"):
        feature_card(table, 60)


def test_a_scorecard_shows_every_value_beside_its_control():
    words = read(scorecard_card(scorecard())).words()
    assert "0.910" in words and "0.520" in words and "variance explained" in words


def dictionary(reads: tuple[str, ...] = ("resid_post.2",)) -> Dictionary:
    """A TopK dictionary of eight features."""
    rule = parse_spec("topk,k=3,n_features=8", reads, reads).rule()
    random = torch.Generator().manual_seed(0)
    W_enc, W_dec = (torch.randn(8, 4, generator=random) for _ in range(2))
    weights = Weights(W_enc, W_dec, torch.zeros(8), torch.zeros(4), True, {})
    about = {"rows": 999_424, "model_fingerprint": "0a1b", "optimiser": {"lr": 0.003}}
    return Dictionary("topk", rule, weights, reads, reads, (4,), (4,), torch.ones(8, dtype=torch.bool), about)


@pytest.fixture
def scored(tmp_path: Path) -> Path:
    """A run whose scorecard is of the dictionary topk32, and its folder."""
    folder = tmp_path / "run" / "dictionaries" / "topk32"
    dictionaries.save(dictionary(), folder)
    run = tmp_path / "run"
    write_json(run / "scorecard.json", scorecard().to_json())
    write_json(run / "provenance.json", {"score": {"inputs": {"dictionaries/topk32": dictionary().fingerprint}}})
    write_json(run / "config.json", {})
    return folder


def test_a_dictionary_says_what_it_is_and_how_it_was_trained():
    tree = read(dictionary()._repr_html_())
    heads, values = ([found.words().split() for found in tree.find(tag)] for tag in ("dt", "dd"))
    facts = {" ".join(head): " ".join(value) for head, value in zip(heads, values, strict=True)}
    assert facts["features"] == "8" and facts["reads"].startswith("resid_post.2") and facts["k"] == "3"
    assert facts["trained on"] == "999,424 activations" and facts["lr"] == "0.003"
    assert dictionary().fingerprint in tree.words() and "variance explained" not in tree.words()


def test_its_scores_stand_there_only_where_the_run_measured_exactly_these_weights(scored: Path):
    found = dictionaries.load(scored)
    finding = scorecard().findings["topk32"]["variance_explained"]
    tree = read(found._repr_html_())
    assert "variance explained" in tree.words() and str(finding) in [
        row.attributes.get("title") for row in tree.find("tr")
    ]
    pruned = found.pruned(torch.arange(8) > 1)
    assert "variance explained" not in pruned._repr_html_() and "2 pruned" in read(pruned._repr_html_()).words()
    assert pruned.folder == found.folder and replace(found, folder=None).fingerprint == found.fingerprint


def test_a_table_shows_its_dictionary_and_its_most_important_features(tmp_path: Path):
    make_run(tmp_path / "run", {"l1": Made()})
    table = open_table(tmp_path / "run" / "features" / "l1")
    page = table.page(Query(size=10))
    for shown in (table, page):
        heads = [row.find("th")[0].words() for row in read(shown._repr_html_()).find("tbody")[-1].find("tr")]
        assert heads == [str(row.feature) for row in page.rows]
    LabelStore(tmp_path / "run" / "labels.sqlite").add(
        Label("l1", table.manifest.dictionary_fingerprint, 4, "dee", "x")
    )
    assert read(table._repr_html_()).find("dd")[5].words() == "1", "labelled"
    assert "Being built" not in table._repr_html_() and "60" in read(table._repr_html_()).find("dd")[0].words()


def test_a_row_and_its_detail_are_the_feature(table: FeatureTable):
    detail = table.feature(PLANTED)
    for shown in (detail, detail.row):
        assert "feature 1" in (words := read(shown._repr_html_()).words()) and "+1,500 ±300" in words
    raised = [code.words() for code in read(detail._repr_html_()).find("code")]
    assert all(effect.text.strip() in raised for effect in detail.top_logits if effect.text.isalnum())
    assert "dead" in read(table.row(DEAD_EVERY - 1)._repr_html_()).words()


def test_what_anybody_named_is_text(table: FeatureTable):
    page = table.page(Query(size=200))
    named = replace(page, rows=tuple(replace(row, floor_text=NASTY, top_text=NASTY) for row in page.rows))
    detail = table.feature(PLANTED)
    shown = [dictionary((NASTY,)), named, named.rows[0], replace(detail, row=named.rows[0]), table, scorecard()]
    for one in shown:
        assert not read(card(one)).find("script") and "<script" not in card(one)
    assert NASTY in read(card(named)).words() and NASTY in read(card(shown[0])).words()


class Formatter:
    """What IPython's HTML formatter does of it: the method that the object has, or nothing."""

    def __call__(self, shown: object) -> str | None:
        method = getattr(shown, "_repr_html_", None)
        return None if method is None else method()


def test_a_notebook_needs_no_call_to_show_it(tmp_path: Path):
    make_table(tmp_path / "l1", Made())
    code = f"""
import json, sys
import monosema
before = {{"torch", "duckdb", "jinja2"}} & sys.modules.keys()
from monosema.features.browse import open_table
shown = open_table({str(tmp_path / "l1")!r})._repr_html_()
print(json.dumps([sorted(before), shown, "torch" in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, shown, torch_loaded = json.loads(done.stdout)
    assert before == [] and not torch_loaded
    assert shown == Formatter()(open_table(tmp_path / "l1"))
    assert Formatter()(object()) is None


def test_what_has_no_card_says_so():
    with pytest.raises(ConfigError, match=r"there is no card of a builtins\.int: there are dictionaries\.dictionary"):
        card(3)
