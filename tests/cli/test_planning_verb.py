"""`monosema planning`: what it writes and says, the same again, and one line for a mistake."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from monosema.cli import main
from monosema.core.runs import read_json

SMALL = ["planning", "--language", "articles", "--models", "1", "--steps", "2", "--rows", "2048"]


@pytest.mark.slow
def test_it_writes_a_page_json_and_pictures_and_says_the_answer(tmp_path: Path, capsys):
    assert main([*SMALL, "--out", str(tmp_path / "one")]) == 0
    said = capsys.readouterr().out
    exhibit = read_json(tmp_path / "one" / "articles.json")
    page = (tmp_path / "one" / "articles.html").read_text(encoding="utf-8")
    assert exhibit["question"] in said and exhibit["answer"][0] in said and "n=500 exchanges" in said
    assert exhibit["settings"]["learning"]["steps"] == 2 and "monosema planning" in page
    drawn = [panel for panel in exhibit["panels"] if panel["kind"] != "table"]
    assert len(list((tmp_path / "one" / "articles").glob("*.svg"))) == len(drawn) == 1
    graphs = tmp_path / "one" / "graphs"
    assert sorted(page.name for page in graphs.iterdir()) == ["articles-memoriser.html", "articles-planner.html"]
    assert exhibit["settings"]["transcoders"]["rows"] == 2048 and str(graphs) in said
    assert f"next: monosema planning --language couplets --out {tmp_path / 'one'}" in said
    assert main([*SMALL, "--json", "--out", str(tmp_path / "two")]) == 0
    assert json.loads(capsys.readouterr().out)["result"] == exhibit
    for file in ("articles.json", "articles.html"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_mistake_is_one_line(capsys):
    assert main(["planning", "--models", "0"]) == 2
    assert capsys.readouterr().err.startswith("monosema: models is 0")
    assert main(["planning", "--language", "limericks"]) == 2
    assert "couplets" in capsys.readouterr().err


def test_its_help_costs_no_numerics():
    code = """
import sys
from monosema.cli import main
try:
    main(["planning", "--help"])
except SystemExit:
    sys.exit(bool({"torch", "numpy", "scipy"} & sys.modules.keys()))
"""
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0
