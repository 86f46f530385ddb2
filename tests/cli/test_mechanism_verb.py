"""`monosema mechanism`: what it writes and says, the same again, and one line for a mistake."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from monosema.cli import main
from monosema.core.runs import read_json
from monosema.pipeline.mechanisms.mechanisms import MECHANISMS

SMALL = {
    "modular_addition": ["--steps", "2", "--modulus", "7", "--d-model", "8", "--d-mlp", "8", "--models", "2"],
    "cumulative_sums": ["--steps", "1", "--n-sequences", "64"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MECHANISMS)
def test_it_writes_a_page_json_and_pictures_and_says_the_answer(name: str, tmp_path: Path, capsys):
    asked = ["mechanism", name, *SMALL[name]]
    assert main([*asked, "--out", str(tmp_path / "one")]) == 0
    said = capsys.readouterr().out
    exhibit = read_json(tmp_path / "one" / f"{name}.json")
    page = (tmp_path / "one" / f"{name}.html").read_text(encoding="utf-8")
    assert exhibit["question"] in said and exhibit["answer"][0] in said and "fail" in exhibit["answer"][1]
    assert f"monosema mechanism {name}" in page
    claims = exhibit["panels"][0]
    assert claims["title"] == "Claims" and len(claims["rows"]) == len(exhibit["findings"])
    drawn = [panel for panel in exhibit["panels"] if panel["kind"] != "table"]
    assert len(list((tmp_path / "one" / name).glob("*.svg"))) == len(drawn) >= 5
    assert main([*asked, "--json", "--out", str(tmp_path / "two")]) == 0
    assert json.loads(capsys.readouterr().out)["result"] == exhibit
    assert (tmp_path / "one" / f"{name}.html").read_bytes() == (tmp_path / "two" / f"{name}.html").read_bytes()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["palindrome"], "modular_addition"),
        (["modular_addition", "--modulus", "12"], "modulus is 12: give an odd number"),
        (["modular_addition", "--models", "0"], "models is 0"),
        (["modular_addition", "--steps", "0"], "steps is 0"),
        (["cumulative_sums", "--n-sequences", "3"], "n_sequences is 3"),
        (["cumulative_sums", "--steps", "0"], "steps is 0"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], named: str, capsys):
    assert main(["mechanism", *words]) == 2
    said = capsys.readouterr().err
    assert named in said and said.count("\n") == 1


def test_its_help_costs_no_numerics():
    code = """
import sys
from monosema.cli import main
try:
    main(["mechanism", "modular_addition", "--help"])
except SystemExit:
    sys.exit(bool({"torch", "numpy", "scipy"} & sys.modules.keys()))
"""
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0
