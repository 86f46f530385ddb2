"""`monosema trace` and `monosema intervene`: transcoders of all layers in one pass, a graph, and what it says."""

import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from monosema import dictionaries
from monosema.circuits import load_graph, read_neuronpedia
from monosema.cli import main
from monosema.core.errors import MismatchError
from monosema.core.runs import read_json, write_json
from monosema.pipeline import tracing_page
from monosema.pipeline.tracing import open_ground
from monosema.pipeline.tracing_specs import every_layer

from .tiny import PROMPT, WHOLE


def a_feature(graph: Path) -> str:
    """The most influential feature's name."""
    nodes = load_graph(graph).nodes
    features = nodes.of("feature")
    return nodes.ids()[int(features[nodes.influence[features].argmax()])]


def test_a_kind_of_site_is_that_of_every_layer():
    there = ("mlp_in.0", "mlp_in.1", "mlp_out.0", "mlp_out.1", "ln_final")
    assert every_layer(there, ("mlp_in", "ln_final", "none")) == ("mlp_in.0", "mlp_in.1", "ln_final", "none")


def test_one_pass_trains_a_transcoder_of_every_layer(layered: Path):
    made = {path.name: dictionaries.load(path) for path in sorted((layered / "dictionaries").glob("tc-*"))}
    sites = {name: (found.reads, found.writes) for name, found in made.items()}
    assert sites == {f"tc-{i}": ((f"mlp_in.{i}",), (f"mlp_out.{i}",)) for i in range(2)}


def test_the_graph_is_written_twice_and_its_strongest_path_adds_up(layered: Path, tmp_path: Path, capsys):
    capsys.readouterr()
    assert main(["trace", str(layered), PROMPT, *WHOLE, "--out", str(tmp_path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    graph, (other, about) = load_graph(tmp_path), read_neuronpedia(tmp_path / "neuronpedia.json")
    assert torch.equal(graph.edges.weight.double(), other.edges.weight)
    page = (tmp_path / "trace.html").read_text(encoding="utf-8")
    assert about.prompt == PROMPT
    assert not [text for text in (page, (tmp_path / "neuronpedia.json").read_text()) if str(layered) in text]
    assert all(f'data-name="{name}"' in page for name in graph.nodes.ids())
    assert page.count('data-share="') == len(graph.nodes) + len(graph.edges)
    result, nodes = said["result"], graph.nodes
    assert (result["nodes"], result["features"]) == (len(nodes), len(nodes.of("feature")))
    assert result["findings"]["replacement"]["control"] != result["findings"]["replacement"]["value"]
    edges = graph.edges
    rows = zip(edges.source.tolist(), edges.target.tolist(), edges.weight.tolist(), strict=True)
    weights = {(source, target): weight for source, target, weight in rows}
    best = result["paths"][0]
    numbers = [graph.node(name) for name in best["nodes"]]
    expected = float(nodes.value[numbers[-1]])
    for source, target in pairwise(numbers):
        expected *= abs(weights[source, target]) / float(nodes.mass[target])
    assert best["strength"] == pytest.approx(expected, rel=1e-5)
    strengths = [path["strength"] for path in result["paths"]]
    assert strengths == sorted(strengths, reverse=True) and nodes.kind[numbers[0]] == 2
    assert said["next"] == f"monosema intervene {tmp_path} --node {a_feature(tmp_path)} --set 0"


@pytest.mark.slow
def test_features_of_a_table_show_where_they_fire(layered: Path, tmp_path: Path):
    run = Path(shutil.copytree(layered, tmp_path / "run"))
    few = ["--n-top", "4", "--n-calibration", "4", "--n-contexts", "4", "--n-examples", "2", "--max-tokens", "2000"]
    assert main(["features", str(run), *few]) == 0
    for out, there in ((layered, 0), (run, 1)):
        assert main(["trace", str(out), PROMPT, *WHOLE, "--no-control", "--out", str(tmp_path / "out")]) == 0
        page = (tmp_path / "out" / "trace.html").read_text(encoding="utf-8")
        assert ('<b class="peak">' in page) == bool(there)
    shutil.rmtree(run / "features" / "tc-1")
    shutil.copytree(run / "features" / "tc-0", run / "features" / "tc-1")
    with pytest.raises(MismatchError, match="table of 'tc-1' is of other weights"):
        tracing_page.graphed(open_ground(run), load_graph(tmp_path / "out"))


def test_targets_are_those_that_are_asked_for(layered: Path, tmp_path: Path):
    command = ["trace", str(layered), PROMPT, "--target", " dog", "--target", " mat", "--no-control"]
    assert main([*command, "--out", str(tmp_path)]) == 0
    graph, about = read_neuronpedia(tmp_path / "neuronpedia.json")
    logits = graph.nodes.of("logit").tolist()
    assert [about.labels[graph.nodes.ids()[i]].split(" (")[0] for i in logits] == ["' dog'", "' mat'"]


def test_an_intervention_is_exact_where_the_model_is_linear(graphed: Path, capsys):
    graph, node = load_graph(graphed), a_feature(graphed)
    capsys.readouterr()
    assert main(["intervene", str(graphed), "--node", node, "--scale", "3", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)["result"]
    [moved] = result["changed"]
    assert moved["after"] == pytest.approx(3 * moved["before"]) and moved["before"] > 0
    edges, source = graph.edges, graph.node(node)
    for logit, row in zip(graph.nodes.of("logit").tolist(), result["logits"], strict=True):
        edge = edges.weight[(edges.source == source) & (edges.target == logit)].sum()
        assert row["linear"] == pytest.approx(2 * float(edge), abs=1e-5)
    assert {"effect", "prediction_off_patterns", "prediction_off_free"} == result["findings"].keys()
    assert result["findings"]["effect"]["control"] > 0


def test_a_run_is_traced_first_and_says_the_same(graphed: Path, layered: Path, capsys):
    command = ["--node", a_feature(graphed), "--set", "0", "--json"]
    said = []
    for where in ([str(graphed)], [str(layered), PROMPT]):
        capsys.readouterr()
        assert main(["intervene", *where, *command]) == 0
        said.append(json.loads(capsys.readouterr().out)["result"])
    assert [row["free"] for row in said[0]["logits"]] == [row["free"] for row in said[1]["logits"]]


def test_what_cannot_be_traced_is_one_line(layered: Path, whole: Path, tmp_path: Path, refused: Callable[..., str]):
    assert "holds no transcoders: harvest with" in refused("trace", str(whole), PROMPT)
    run = str(layered)
    assert "do not cover layer 1" in refused("trace", run, PROMPT, "--dictionaries", "tc-0")
    assert "unknown set of transcoders 'tx'. Did you mean 'tc'?" in refused(
        "trace", run, PROMPT, "--dictionaries", "tx"
    )
    assert "more than the 16 of" in refused("trace", run, " ".join([PROMPT] * 5))
    assert "the prompt is empty" in refused("trace", run, "")
    assert "' xylophone' is not one token but" in refused("trace", run, PROMPT, "--target", " xylophone")
    copied = Path(shutil.copytree(layered, tmp_path / "copied"))
    for name in ("tc-0", "tc-1"):
        shutil.copytree(copied / "dictionaries" / name, copied / "dictionaries" / name.replace("tc", "other"))
    assert "several sets of transcoders, other, tc: say which" in refused("trace", str(copied), PROMPT)
    about = copied / "dictionaries" / "tc-1" / "cfg.json"
    own = dictionaries.load(about.parent).metadata["model_fingerprint"]
    about.write_text(about.read_text().replace(own, "0" * len(own)))
    assert "model of dictionaries/tc-1" in refused("trace", str(copied), PROMPT, "--dictionaries", "tc")


def test_what_is_no_graph_is_one_line(graphed: Path, layered: Path, tmp_path: Path, refused: Callable[..., str]):
    node = ["--node", "0_1_2", "--set", "0"]
    assert "holds no graph" in refused("intervene", str(tmp_path), *node)
    assert "is a file: give the folder" in refused("intervene", str(graphed / "neuronpedia.json"), *node)
    copied = Path(shutil.copytree(graphed, tmp_path / "graph"))
    about = read_json(copied / "graph.json")
    write_json(copied / "graph.json", about | {"format": 7})
    assert "has a graph of format 7, this version reads 1" in refused("intervene", str(copied), *node)
    write_json(copied / "graph.json", about | {"facts": about["facts"] | {"transcoders": "none"}})
    assert "is of other weights than" in refused("intervene", str(copied), *node)
    assert "is a run: give a prompt too" in refused("intervene", str(layered), *node)
    assert "a graph has its prompt" in refused("intervene", str(graphed), PROMPT, *node)


def test_what_cannot_be_changed_is_one_line(graphed: Path, refused: Callable[..., str]):
    graph = str(graphed)
    assert "no feature to change" in refused("intervene", graph, "--set", "0")
    assert "say once what becomes" in refused("intervene", graph, "--node", "0_1_2")
    assert "say once what becomes" in refused("intervene", graph, "--node", "0_1_2", "--set", "0", "--scale", "2")
    assert "'0_-1_2' is no feature" in refused("intervene", graph, "--node", "0_-1_2", "--set", "0")
    assert "there is no layer 5" in refused("intervene", graph, "--node", "5_1_2", "--set", "1")
    assert "no feature 99 in layer 0" in refused("intervene", graph, "--node", "0_99_2", "--set", "1")
    assert "there is no token 9" in refused("intervene", graph, "--node", "0_1_9", "--set", "1")
    fires = {name for name in load_graph(graphed).nodes.ids() if name.startswith("0_")}
    silent = next(f"0_{i}_3" for i in range(32) if f"0_{i}_3" not in fires)
    assert "nothing changes: the activation is 0 already" in refused(
        "intervene", graph, "--node", silent, "--scale", "2"
    )
