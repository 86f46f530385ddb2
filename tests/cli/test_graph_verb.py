"""`monosema graph`: a graph that is there already as a page, from our folder and from Neuronpedia's file."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from monosema.circuits import load_graph
from monosema.cli import main
from monosema.pipeline import tracing_page

PATHS = {"folder": "", "file": "neuronpedia.json"}


def drawn(graphed: Path, out: Path, what: str, capsys, *more: str) -> tuple[dict, str]:
    capsys.readouterr()
    assert main(["graph", str(graphed / PATHS[what]), *more, "--out", str(out), "--json"]) == 0
    return json.loads(capsys.readouterr().out)["result"], out.read_text(encoding="utf-8")


@pytest.mark.parametrize("what", PATHS)
def test_both_give_the_page_of_the_same_nodes(graphed: Path, tmp_path: Path, what: str, capsys):
    result, page = drawn(graphed, tmp_path / "page.html", what, capsys)
    graph = load_graph(graphed)
    assert all(f'data-name="{name}"' in page for name in graph.nodes.ids())
    assert (result["nodes"], result["edges"]) == (len(graph.nodes), len(graph.edges))
    assert "the cat sat on a" in page and str(graph.facts["run"]) not in page
    controls = [result["findings"][name]["control"] for name in ("replacement", "completeness")]
    assert all(control is None for control in controls) == (what == "file")
    small, _ = drawn(graphed, tmp_path / "small.html", what, capsys, "--nodes", "0.5", "--edges", "0.5")
    assert small["edges"] < result["edges"] and small["findings"]["influence_kept"]["value"] >= 0.5


def test_pins_supernodes_and_labels_of_a_file_are_shown(graphed: Path, tmp_path: Path, capsys):
    file = json.loads((graphed / "neuronpedia.json").read_text(encoding="utf-8"))
    rows = [node for node in file["nodes"] if node["feature_type"] == "cross layer transcoder"]
    rows[0]["clerp"] = "says <b>cat</b>"
    file["qParams"] |= {
        "pinnedIds": [rows[2]["node_id"]],
        "supernodes": [["a, b", rows[0]["node_id"], "9_9_9"], ["none"]],
    }
    shutil.copytree(graphed, tmp_path / "graph")
    (tmp_path / "graph" / "neuronpedia.json").write_text(json.dumps(file), encoding="utf-8")
    result, page = drawn(tmp_path / "graph", tmp_path / "page.html", "file", capsys)
    assert result["groups"] == 1 and "says &lt;b&gt;cat&lt;/b&gt;" in page
    assert f'data-pins="[&#34;{rows[2]["node_id"]}&#34;]"' in page and "a, b" in page


def test_a_folder_without_texts_has_the_tokens_numbers(graphed: Path, tmp_path: Path, capsys):
    shutil.copytree(graphed, tmp_path / "graph")
    (tmp_path / "graph" / "neuronpedia.json").unlink()
    _, page = drawn(tmp_path / "graph", tmp_path / "page.html", "folder", capsys)
    assert f"⟨{int(load_graph(graphed).tokens[1])}⟩" in page


def test_a_large_graph_is_drawn_in_part_and_says_so(
    graphed: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
):
    whole = load_graph(graphed)
    monkeypatch.setattr(tracing_page, "MOST_EDGES", 100)
    monkeypatch.setattr(tracing_page, "MOST_NODES", 30)
    result, page = drawn(graphed, tmp_path / "page.html", "folder", capsys)
    assert result["nodes"] <= 30 + len(whole.tokens) + len(whole.nodes.of("logit")) and result["edges"] <= 101
    assert f"of {len(whole.nodes):,} nodes and {result['edges']:,} of {len(whole.edges):,} edges" in page


def test_what_is_no_graph_is_one_line(graphed: Path, tmp_path: Path, refused: Callable[..., str]):
    text = (graphed / "neuronpedia.json").read_text(encoding="utf-8")
    (tmp_path / "cut.json").write_text(text[:-40], encoding="utf-8")
    (tmp_path / "other.json").write_text("[]", encoding="utf-8")
    (tmp_path / "newer.json").write_text(text.replace('"schema_version": 1', '"schema_version": 9'), encoding="utf-8")
    assert "does not exist" in refused("graph", str(tmp_path / "nothing.json"))
    assert "holds no graph" in refused("graph", str(tmp_path))
    assert "is not valid JSON" in refused("graph", str(tmp_path / "cut.json"))
    assert "is not a graph of Neuronpedia's" in refused("graph", str(tmp_path / "other.json"))
    assert "schema version 9: this version reads 1" in refused("graph", str(tmp_path / "newer.json"))
    assert "nodes is 2.0" in refused("graph", str(graphed), "--nodes", "2")
