"""`monosema circuit`: what it writes of a run, the same again, and one line for a mistake."""

import html
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from monosema.cli import main
from monosema.core.runs import read_json

WORDS = {
    "clean_prefix": "the cat sat on",
    "patch_prefix": "the dog sat on",
    "clean_answer": " a",
    "patch_answer": " the",
}
QUICK = ["--sizes", "1,5", "--top", "4", "--steps", "2"]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    other = WORDS | {"clean_prefix": "one cat sat on", "patch_prefix": "one dog sat on"}
    odd = WORDS | {"clean_prefix": "the cat and the dog sat on"}
    path.write_text("".join(json.dumps(row) + "\n" for row in (WORDS, other, odd, WORDS, other)), encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_run_is_asked_and_a_model_that_does_not_know_is_said_not_to(
    whole: Path, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    command = ["circuit", str(whole), "--pairs", str(pairs), "--skip", "--dictionaries", "topk", *QUICK]
    assert main([*command, "--out", str(tmp_path / "one")]) == 0
    said = capsys.readouterr().out
    assert "1 pairs of the file do not fit and were left out" in said
    exhibit = read_json(tmp_path / "one" / "circuit.json")
    page = (tmp_path / "one" / "circuit.html").read_text(encoding="utf-8")
    assert html.escape(exhibit["question"], quote=True).replace("&#x27;", "&#39;") in page and all(
        sentence in said for sentence in exhibit["answer"]
    )
    right = exhibit["findings"]["answered"]["value"]
    assert ("there is no circuit for them to be found" in exhibit["answer"][0]) == (right < 0.75)
    [curves] = [one for one in exhibit["panels"] if one["title"] == "Faithfulness, errors among the nodes"]
    assert {line["name"] for line in curves["lines"]} == {"features", "random nodes", "unlearned", "neurons"}
    assert all(line["x"][:2] == [1, 5] for line in curves["lines"])
    [table] = [one for one in exhibit["panels"] if one["title"] == "The circuit"]
    assert len(table["rows"]) == 4 and all(row[0].startswith("resid_post.0 ") for row in table["rows"])
    assert main([*command, "--json", "--out", str(tmp_path / "two")]) == 0
    assert json.loads(capsys.readouterr().out)["result"] == exhibit
    for file in ("circuit.json", "circuit.html"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.slow
def test_a_mistake_is_one_line(whole: Path, pairs: Path, tmp_path: Path, refused: Callable[..., str]):
    run, file = str(whole), str(pairs)
    assert "give a run directory, or --example agreement" in refused("circuit")
    assert "give a run directory, or --example agreement" in refused("circuit", run, "--example", "agreement")
    assert "say once which prompts" in refused("circuit", run)
    assert "say once which prompts" in refused("circuit", run, "--task", "induction", "--pairs", file)
    assert "--skip is for the pairs" in refused("circuit", run, "--task", "induction", "--skip")
    assert "--example makes its own pairs" in refused("circuit", "--example", "agreement", "--task", "induction")
    assert "leave --no-positions out" in refused("circuit", "--example", "agreement", "--no-positions")
    assert "all write resid_post.0: say which one" in refused("circuit", run, "--task", "induction")
    assert "unknown dictionary 'topkk'. Did you mean 'topk'" in refused(
        "circuit", run, "--task", "induction", "--dictionaries", "topkk"
    )
    asked = ["circuit", run, "--dictionaries", "topk"]
    assert "line 3: the clean prompt has" in refused(*asked, "--pairs", file)
    assert "1 pairs of 1 prompts cannot be split" in refused(*asked, "--pairs", file, "--skip", "--n", "1")
    assert "--sizes has 'x'" in refused(*asked, "--pairs", file, "--sizes", "1,x")
    assert "sizes must rise" in refused(*asked, "--pairs", file, "--sizes", "5,1")
    assert "steps is 0" in refused(*asked, "--pairs", file, "--steps", "0")
    (tmp_path / "a").write_text("")
    assert "is a file: give a folder with --out" in refused(*asked, "--pairs", file, "--out", str(tmp_path / "a"))


def test_its_help_costs_no_numerics():
    code = """
import sys
from monosema.cli import main
try:
    main(["circuit", "--help"])
except SystemExit:
    sys.exit(bool({"torch", "numpy", "scipy"} & sys.modules.keys()))
"""
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0
