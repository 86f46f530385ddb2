"""`monosema patch`: what it writes and says of a circuit that is known, the same again, and one line for a mistake."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from monosema.cli import main
from monosema.core.runs import read_json

QUICK = ["patch", "--example", "by-hand", "--task", "induction", "--n", "4"]
TEXTS = {"--clean": "for i in", "--corrupted": "for i on", "--answer": " range", "--wrong": ":"}


def command(**changes: str) -> list[str]:
    texts = TEXTS | {f"--{name}": text for name, text in changes.items()}
    return ["patch", *(word for pair in texts.items() for word in pair)]


@pytest.mark.slow
def test_it_names_the_heads_of_the_circuit(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([*QUICK, "--out", str(tmp_path / "one")]) == 0
    said = capsys.readouterr().out
    exhibit = read_json(tmp_path / "one" / "patch.json")
    page = (tmp_path / "one" / "patch.html").read_text(encoding="utf-8")
    assert all(sentence in said for sentence in (exhibit["question"], *exhibit["answer"], exhibit["how"]))
    assert exhibit["question"] in page
    answer = " ".join(exhibit["answer"])
    assert "Of 6 places of heads, attn_z.0 head 0 does most by itself: 1" in answer
    assert "What attn_z.0 head 0 writes acts most through k 1.0: 1" in answer
    [heads] = [panel for panel in exhibit["panels"] if panel["title"] == "heads"]
    assert [row[0] for row in heads["cells"]] == pytest.approx([1, 1], abs=0.01)
    assert max(abs(cell) for row in heads["cells"] for cell in row[1:]) < 0.02
    drawn = [panel for panel in exhibit["panels"] if panel["kind"] != "table"]
    assert len(list((tmp_path / "one" / "patch").glob("*.svg"))) == len(drawn) == 3
    assert main([*QUICK, "--json", "--out", str(tmp_path / "two")]) == 0
    assert json.loads(capsys.readouterr().out)["result"] == exhibit
    for file in ("patch.json", "patch.html"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.slow
def test_two_texts_are_patched_at_the_sites_asked_for(tmp_path: Path):
    assert main([*command(), "--sites", "mlp_out,attn_pattern.1", "--metric", "loss", "--out", str(tmp_path)]) == 0
    exhibit = read_json(tmp_path / "patch.json")
    maps = {panel["title"]: panel for panel in exhibit["panels"] if panel["kind"] == "heatmap"}
    assert {name: (panel["x_title"], len(panel["cells"])) for name, panel in maps.items()} == {
        "mlp_out": ("position", 4),
        "attn_pattern.1": ("head", 1),
    }
    [prompts] = [panel for panel in exhibit["panels"] if panel["title"] == "The prompts"]
    assert [row[1:] for row in prompts["rows"]][-1] == ["' in'", "' on'", "differs"]


@pytest.mark.slow
def test_features_of_a_dictionary_are_patched_too(whole: Path, tmp_path: Path):
    words = ["--clean", "the cat sat on", "--corrupted", "the dog sat on", "--answer", " a", "--wrong", " the"]
    dictionary = str(whole / "dictionaries" / "topk")
    assert main(["patch", str(whole), *words, "--dictionary", dictionary, "--out", str(tmp_path)]) == 0
    exhibit = read_json(tmp_path / "patch.json")
    assert "features_strongest" in exhibit["findings"]
    [table] = [panel for panel in exhibit["panels"] if panel["title"] == "Strongest places"]
    assert any(row[0].startswith("resid_post.0 feature ") for row in table["rows"])


@pytest.mark.slow
def test_a_mistake_is_one_line(tmp_path: Path, refused: Callable[..., str]):
    assert "say once which prompts" in refused("patch")
    assert "say once which prompts" in refused(*command(), "--task", "induction")
    assert "--corrupted is missing" in refused("patch", "--clean", "a", "--answer", "b", "--wrong", "c")
    assert "--skip is for the pairs of a file" in refused(*command(), "--skip")
    assert "--example takes the place of a model" in refused("patch", "--example", "by-hand", "--task", "agreement")
    assert "they part at token" in refused(*command(corrupted="for"))
    assert "is not one token but" in refused(*command(answer=" islandic"))
    assert "more than the 128 that the model takes" in refused(*command(clean="for " * 200))
    assert "unknown kind of site 'resid_pots'. Did you mean 'resid_post'" in refused(
        *command(), "--sites", "resid_pots"
    )
    assert "sites is empty" in refused(*command(), "--sites", ",")
    assert "nothing tells them apart" in refused(*command(corrupted=TEXTS["--clean"]), "--out", str(tmp_path))
    assert "there is no file" in refused("patch", "--pairs", str(tmp_path / "none.jsonl"))


def test_its_help_costs_no_numerics():
    code = """
import sys
from monosema.cli import main
try:
    main(["patch", "--help"])
except SystemExit:
    sys.exit(bool({"torch", "numpy", "scipy"} & sys.modules.keys()))
"""
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0
