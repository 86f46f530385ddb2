"""`monosema heads`: what it writes and says of a circuit that is known, the same again, and one line for a mistake."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from monosema.cli import main
from monosema.core.runs import read_json

QUICK = ["heads", "--example", "by-hand", "--repeated", "10", "--sequences", "3", "--random", "20"]


@pytest.mark.slow
def test_it_names_the_heads_of_the_circuit(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([*QUICK, "--out", str(tmp_path / "one")]) == 0
    said = capsys.readouterr().out
    exhibit = read_json(tmp_path / "one" / "heads.json")
    page = (tmp_path / "one" / "heads.html").read_text(encoding="utf-8")
    assert all(sentence in said for sentence in (exhibit["question"], *exhibit["answer"], exhibit["how"]))
    assert exhibit["question"] in page
    answer = " ".join(exhibit["answer"])
    assert "Previous token: head 0.0 gives" in answer and "Induction: head 1.0 gives" in answer
    assert "head 1.0 reads by its keys most of what head 0.0 writes" in answer
    assert "Head 1.0 has the largest direct effect on the logit of the last repeated token: 9.7" in answer
    assert "above the mean of all tokens" in answer
    assert "next: monosema patch --example by-hand --task induction" in said
    drawn = [panel for panel in exhibit["panels"] if panel["kind"] != "table"]
    assert len(list((tmp_path / "one" / "heads").glob("*.svg"))) == len(drawn) == 9
    assert main([*QUICK, "--json", "--out", str(tmp_path / "two")]) == 0
    assert json.loads(capsys.readouterr().out)["result"] == exhibit
    for file in ("heads.json", "heads.html"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.slow
def test_it_explains_the_logit_that_is_asked_for(tmp_path: Path):
    command = ["heads", "--prompt", "for i in", "--answer", " range", "--repeated", "5", "--sequences", "2"]
    assert main([*command, "--random", "20", "--out", str(tmp_path)]) == 0
    exhibit = read_json(tmp_path / "heads.json")
    [table] = [panel for panel in exhibit["panels"] if panel["title"] == "Direct effects by part"]
    rows = {name: (adds, redrawn) for name, adds, redrawn in table["rows"]}
    assert rows["sum"] == rows["the logit less the mean of all tokens'"]
    assert rows["sum"][0] != rows["sum"][1]
    assert "token that is asked for" in table["says"]


@pytest.mark.slow
def test_features_of_a_dictionary_take_the_place_of_what_it_writes(whole: Path, tmp_path: Path):
    dictionary = str(whole / "dictionaries" / "topk")
    command = ["heads", str(whole), "--prompt", "the cat sat on", "--answer", " a", "--dictionary", dictionary]
    assert main([*command, "--repeated", "5", "--sequences", "2", "--random", "20", "--out", str(tmp_path)]) == 0
    panels = {panel["title"]: panel for panel in read_json(tmp_path / "heads.json")["panels"]}
    rows = {name: adds for name, adds, _ in panels["Direct effects by part"]["rows"]}
    assert rows["sum"] == rows["the logit less the mean of all tokens'"]
    assert {"all features", "error 0", "dictionary 0"} <= rows.keys()
    assert len(panels["Direct effects of features"]["rows"]) == 4  # k of the TopK


def test_a_mistake_is_one_line(tmp_path: Path, refused: Callable[..., str]):
    assert "--prompt and --answer belong together" in refused("heads", "--prompt", "The")
    assert "--dictionary is for the logit after a text" in refused("heads", "--dictionary", str(tmp_path))
    assert "--example takes the place of a model" in refused("heads", str(tmp_path), "--example", "by-hand")
    assert "there is no model at" in refused("heads", str(tmp_path / "none"))
    assert "repeated is 1: it must be at least 2" in refused("heads", "--repeated", "1")
    assert "more than the" in refused("heads", "--example", "by-hand", "--repeated", "39", "--out", str(tmp_path))
    said = refused("heads", "--prompt", "The", "--answer", " islandic", "--out", str(tmp_path))
    assert "' islandic' is not one token but" in said


def test_its_help_costs_no_numerics():
    code = """
import sys
from monosema.cli import main
try:
    main(["heads", "--help"])
except SystemExit:
    sys.exit(bool({"torch", "numpy", "scipy"} & sys.modules.keys()))
"""
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0
