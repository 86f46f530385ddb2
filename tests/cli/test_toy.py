"""`monosema toy`: what it writes and says, the same again, and one line for a mistake."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from monosema.cli import main
from monosema.core.runs import read_json
from monosema.toys import EXPERIMENTS

SMALL = ["toy", "scurve", "--grid", "3", "--grid-seeds", "1", "--n-seeds", "2", "--n-many", "3", "--steps-kl", "300"]


@pytest.mark.slow
def test_it_writes_a_page_json_and_pictures_and_says_the_answer(tmp_path: Path, capsys):
    assert main([*SMALL, "--out", str(tmp_path / "one")]) == 0
    said = capsys.readouterr().out
    exhibit = read_json(tmp_path / "one" / "scurve.json")
    page = (tmp_path / "one" / "scurve.html").read_text(encoding="utf-8")
    assert exhibit["question"] in said and exhibit["answer"][0] in said and "(control 0; n=2 seeds)" in said
    assert exhibit["settings"]["grid"] == 3 and exhibit["question"] in page
    drawn = [panel for panel in exhibit["panels"] if panel["kind"] != "table"]
    assert len(list((tmp_path / "one" / "scurve").glob("*.svg"))) == len(drawn) > 5
    assert main([*SMALL, "--json", "--out", str(tmp_path / "two")]) == 0
    assert json.loads(capsys.readouterr().out)["result"] == exhibit
    for file in ("scurve.json", "scurve.html"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_mistake_is_one_line(capsys):
    assert main(["toy", "scurve", "--size", "2"]) == 2
    assert capsys.readouterr().err == "monosema: size 2 must hold 3 values (two or more) and n_many 10\n"
    assert main(["toy", "spirals"]) == 2
    assert "scurve" in capsys.readouterr().err


def test_every_experiment_is_in_the_table_of_the_documentation():
    text = (Path(__file__).parents[2] / "docs" / "toys.md").read_text(encoding="utf-8")
    assert not [name for name in EXPERIMENTS if f"| [`{name}`](" not in text]


def test_the_help_of_experiments_costs_no_numerics():
    code = """
import sys
from monosema.cli import main
try:
    main(["toy", "scurve", "--help"])
except SystemExit:
    sys.exit(bool({"torch", "numpy", "scipy"} & sys.modules.keys()))
"""
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0
