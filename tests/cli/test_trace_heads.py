"""`monosema trace --heads`: the heads of a graph's strongest edges, and why they looked where they did."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from monosema.circuits import TraceConfig, Wiring, load_graph
from monosema.cli import main
from monosema.pipeline.tracing import open_ground

from .tiny import PROMPT, WHOLE


def test_it_lists_what_the_heads_of_the_strongest_edges_pass(layered: Path, tmp_path: Path, capsys):
    capsys.readouterr()
    command = ["trace", str(layered), PROMPT, *WHOLE, "--heads", "4", "--out", str(tmp_path)]
    assert main([*command, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["result"]["heads"]
    graph, ground = load_graph(tmp_path), open_ground(layered)
    nodes, edges = graph.nodes, graph.edges
    assert len(said["edges"]) == 4
    assert {finding["name"] for finding in said["findings"]} == {"first_head", "key_score"}
    assert all(finding["control"] is not None for finding in said["findings"])
    wiring = Wiring(ground.model, ground.sides, graph, TraceConfig(from_token=1))
    weights = edges.weight.tolist()
    for row in said["edges"]:
        edge = min(range(len(weights)), key=lambda i, row=row: abs(weights[i] - row["weight"]))
        assert weights[edge] == pytest.approx(row["weight"], rel=1e-4)
        assert nodes.token[edges.source[edge]] != nodes.token[edges.target[edge]]
        found = wiring.crossings(torch.tensor([edge]))
        for head in row["heads"]:
            layer, index = map(int, head["head"].split("."))
            assert float(found.through[0, layer, index]) == pytest.approx(head["part"], rel=1e-4, abs=1e-6)
            where = wiring.positions(edge, layer, index)
            assert float(where[head["query"], head["key"]].abs()) == float(where.abs().max())
        sizes = [abs(head["part"]) for head in row["heads"]]
        assert sizes == sorted(sizes, reverse=True) and sizes[0] == pytest.approx(float(found.through.abs().max()))
    places = [(look["head"], look["query"], look["key"]) for look in said["looks"]]
    firsts = {(row["heads"][0]["head"], row["heads"][0]["query"], row["heads"][0]["key"]) for row in said["edges"]}
    assert set(places) == firsts and len(places) == len(firsts)
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "why the first head of each looked there" in shown
    assert said["edges"][0]["source"] in shown and said["looks"][0]["pairs"][0][0] in shown


def test_without_edges_between_tokens_there_is_nothing_to_list(
    layered: Path, tmp_path: Path, refused: Callable[..., str]
):
    out = tmp_path / "out"
    few = ["--nodes", "0", "--edges", "0", "--heads", "2", "--out", str(out)]
    assert "--heads is -1: it must be at least 0" in refused("trace", str(layered), PROMPT, "--heads", "-1")
    said = refused("trace", str(layered), PROMPT, *few)
    assert "no edge of the graph leads from one token to another" in said
    assert not out.exists()
