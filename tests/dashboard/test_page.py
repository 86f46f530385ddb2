"""The page: well formed, self-contained, deterministic; nothing of the corpus is markup."""

import base64
import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from monosema.core.errors import DamagedError, RunError
from monosema.core.runs import open_run, write_json
from monosema.dashboard import ReportData, read_run, report, write_report
from monosema.dashboard.page import SECTIONS
from monosema.features.rows import FeatureStudy

from .conftest import BROWSERS, LEFT_OUT, browser_path
from .examples import HALF, NASTY, feature, run, studied
from .html import Element, read

ROOT = Path(__file__).parents[2]
PAGE = report(run())
TREE = read(PAGE)


def test_the_browser_tests_are_not_left_out_in_silence():
    if browser_path() is None:
        pytest.skip(LEFT_OUT.format(", ".join(BROWSERS)))


def test_it_is_one_whole_document():
    assert PAGE.startswith("<!doctype html>")
    assert [child.tag for child in TREE.children if child.tag != "#text"] == ["html"]
    assert [child.tag for child in TREE.find("html")[0].children if child.tag != "#text"] == ["head", "body"]


def test_ids_are_used_once_and_every_link_leads_somewhere():
    ids = [e.attributes["id"] for e in TREE.find("") if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    for name in ("href", "aria-labelledby", "aria-controls"):
        for value in (e.attributes[name] for e in TREE.find("") if name in e.attributes):
            assert value == "data:," or (value or "").removeprefix("#") in ids


def test_it_asks_for_nothing():
    fetching = {"src", "href", "srcset", "action", "data", "poster", "xlink:href", "ping", "formaction", "background"}
    found = {(e.attributes[name]) for e in TREE.find("") for name in fetching & e.attributes.keys()}
    assert all(value == "data:," or (value or "").startswith("#") for value in found)
    (style,), (script,) = TREE.find("style"), TREE.find("script")
    assert not re.search(r"url\(|@import|https?:", style.words())
    assert not re.search(r"fetch\(|XMLHttpRequest|import[ (]|https?:|sendBeacon|WebSocket", script.words())
    assert not TREE.find("iframe") + TREE.find("img") + TREE.find("object") + TREE.find("form")


def test_its_policy_allows_its_one_script_alone():
    (script,) = TREE.find("script")
    digest = base64.b64encode(hashlib.sha256(script.words().encode()).digest()).decode()
    (policy,) = TREE.find("meta", http_equiv="Content-Security-Policy")
    assert f"script-src 'sha256-{digest}'" in (policy.attributes["content"] or "")
    assert "default-src 'none'" in (policy.attributes["content"] or "")


def test_nothing_of_the_corpus_is_markup():
    study = FeatureStudy((studied("".join(NASTY[:8]), (feature(3, 0.3, NASTY), feature(4, 0.02, NASTY))),))
    page = report(ReportData("".join(NASTY) + HALF, facts=((NASTY[0], NASTY[1]),), features=study))
    tree = read(page)
    assert len(tree.find("script")) == 1 and not tree.find("img") and not tree.find("b")
    assert not [e for e in tree.find("") for name in e.attributes if name.startswith("on")]
    words = tree.find("body")[0].words()
    for text in ("<script>alert(1)</script>", "{{ 7 * 7 }}", "&lt;b&gt;&amp;", "שלום עולם", "👩\u200d👩\u200d👧"):
        assert text in words
    page.encode("utf-8")
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\ud800-\udfff]", page
    )


def test_the_same_data_gives_the_same_bytes():
    assert report(run()) == PAGE


def printed(code: str, **env: str) -> str:
    """What a fresh Python prints, with the examples at hand."""
    start = "import sys; sys.path.insert(0, 'tests')\nfrom dashboard.examples import run\n"
    start += "from monosema.dashboard import report\n"
    env = {"PYTHONPATH": str(ROOT / "src"), "PATH": "", **env}
    done = subprocess.run(
        [sys.executable, "-c", start + code], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_bytes_do_not_depend_on_the_hash_seed():
    code = "import hashlib; print(hashlib.sha256(report(run()).encode()).hexdigest())"
    assert printed(code, PYTHONHASHSEED="1") == printed(code, PYTHONHASHSEED="2")


def test_it_is_made_without_numerics():
    code = "report(run()); print(sorted({'torch', 'numpy', 'transformers', 'duckdb'} & set(sys.modules)))"
    assert printed(code) == "[]\n"


def cells(table: Element) -> list[Element]:
    return [td for body in table.find("tbody") for td in body.find("td") if td.find("span", class_="value")]


def test_every_number_of_the_scorecard_has_its_control_in_the_cell():
    (table,) = TREE.find("table", class_="scorecard")
    found = cells(table)
    assert len(found) == 12  # two dictionaries, six metrics
    for td in found:
        (control,) = td.find("span", class_="control")
        assert re.search(r"\d|no control", control.words())
        assert td.attributes["title"]


def test_a_control_that_was_skipped_is_said_to_be_missing():
    (table,) = TREE.find("table", class_="scorecard")
    last = cells(table)[-1]
    assert "no control" in last.words()
    assert last.find("span", class_="control")[0].attributes["title"] == "skipped by the user"
    assert "undefined" in last.words()


def test_the_finding_about_features_and_the_prune_difference_have_theirs():
    for finding in TREE.find("p", class_="finding"):
        assert re.search(r"\d|no control", finding.find("span", class_="control")[0].words())
    (best,) = TREE.find("tr", class_="best")
    assert "+0.0123" in best.words() and "\u22120.0200" in best.words()


def test_a_metric_that_is_new_is_shown_among_others():
    (table,) = TREE.find("table", class_="scorecard")
    assert "Other" in [row.words().strip() for row in table.find("tr", class_="group")]
    assert "new metric" in table.words()


def test_what_is_missing_is_said_with_the_command_that_makes_it():
    tree = read(report(ReportData("empty")))
    said = [p.words() for p in tree.find("p", class_="missing")]
    assert said == [section.missing for section in SECTIONS]


def test_a_dictionary_whose_features_are_all_dead_says_so():
    dead = studied("dead", ())
    dead = replace(dead, sample=replace(dead.sample, strata=(), n_dead=1024), control=None, findings=())
    words = read(report(ReportData("x", features=FeatureStudy((dead,))))).words()
    assert "Every feature is dead: there is nothing to show." in words


def test_where_logit_effects_are_undefined_the_card_says_why():
    one = studied("one", (replace(feature(1, 0.3), logits=None),))
    one = replace(one, sample=replace(one.sample, no_logits="attn_z.1 is not the residual stream"))
    assert "No logit effects: attn_z.1 is not the residual stream." in report(
        ReportData("x", features=FeatureStudy((one,)))
    )


def test_a_run_directory_is_read_as_it_stands(tmp_path: Path):
    made = open_run(tmp_path / "made", create=True)
    made.begin("score", {}, {}, 0)
    data = run()
    for name, value in (("scorecard", data.scorecard), ("prune", data.prune), ("features", data.features)):
        assert value is not None
        write_json(made.path / f"{name}.json", value.to_json())
    found = read_run(made.path, facts=data.facts)
    assert (found.title, found.prune, found.features) == ("made", data.prune, data.features)
    write_report(tmp_path / "made" / "report.html", found)
    written = read((tmp_path / "made" / "report.html").read_text(encoding="utf-8"))
    (table,) = written.find("table", class_="scorecard")
    assert table.words() == TREE.find("table", class_="scorecard")[0].words()


def test_what_is_no_run_and_what_was_edited_is_refused(tmp_path: Path):
    with pytest.raises(RunError):
        read_run(tmp_path)
    made = open_run(tmp_path / "made", create=True)
    made.begin("score", {}, {}, 0)
    (made.path / "scorecard.json").write_text("{", encoding="utf-8")
    with pytest.raises(DamagedError):
        read_run(made.path)
