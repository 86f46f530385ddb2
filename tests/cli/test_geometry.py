"""`monosema geometry`: what it writes and says of the embedded model, the same again, and one line for a mistake."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from monosema.cli import main
from monosema.core.runs import read_json

QUICK = ["geometry", "--directions", "20", "--nearest", "5", "--shuffles", "20", "--drawn", "4"]
LISTS = {"numbers": [" one", " two", " first", " second"], "loops": [" for", " while", " if", " else", " zebra"]}


@pytest.mark.slow
def test_it_writes_a_page_json_and_pictures_and_says_the_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([*QUICK, "--out", str(tmp_path / "one")]) == 0
    said = capsys.readouterr().out
    exhibit = read_json(tmp_path / "one" / "geometry-embed.json")
    page = (tmp_path / "one" / "geometry-embed.html").read_text(encoding="utf-8")
    assert all(sentence in said for sentence in (exhibit["question"], *exhibit["answer"], exhibit["how"]))
    assert exhibit["question"] in page and "next:" not in said  # the two matrices are tied
    kinds = [panel["kind"] for panel in exhibit["panels"]]
    assert kinds.count("scatter") == 4
    pictures = list((tmp_path / "one" / "geometry-embed").glob("*.svg"))
    assert len(pictures) == len([kind for kind in kinds if kind != "table"])
    assert main([*QUICK, "--json", "--out", str(tmp_path / "two")]) == 0
    assert json.loads(capsys.readouterr().out)["result"] == exhibit
    for file in ("geometry-embed.json", "geometry-embed.html"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.slow
def test_a_users_lists_are_the_clusters(tmp_path: Path, refused: Callable[..., str]):
    lists = tmp_path / "lists.json"
    lists.write_text(json.dumps(LISTS), encoding="utf-8")
    command = [*QUICK, "--clusters", str(lists), "--out", str(tmp_path)]
    assert refused(*command).startswith(f"monosema: {lists} names 1 tokens that the vocabulary lacks: ' zebra'")
    assert main([*command, "--skip-unknown", "--matrix", "unembed"]) == 0
    exhibit = read_json(tmp_path / "geometry-unembed.json")
    assert "8 of them in 2 clusters, 1 listed ones left out" in exhibit["how"]
    (scatter, *_) = exhibit["panels"]
    assert [points["name"] for points in scatter["points"]] == ["in no cluster", "numbers", "loops"]


def test_a_mistake_is_one_line(tmp_path: Path, refused: Callable[..., str]):
    assert refused("geometry", "--directions", "1") == "monosema: directions is 1: it must be at least 2"
    assert "--skip-unknown is for the tokens of a file" in refused("geometry", "--skip-unknown")
    assert "there is no model at" in refused("geometry", str(tmp_path / "none"))
    assert "embed" in refused("geometry", "--matrix", "embedding")


def test_its_help_costs_no_numerics():
    code = """
import sys
from monosema.cli import main
try:
    main(["geometry", "--help"])
except SystemExit:
    sys.exit(bool({"torch", "numpy", "scipy"} & sys.modules.keys()))
"""
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0
