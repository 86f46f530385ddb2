"""Graphs on disk: bit for bit in our folder, schema-valid in Neuronpedia's JSON, refused when they are not graphs."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from monosema.circuits import (
    About,
    Graph,
    TraceConfig,
    load_graph,
    read_neuronpedia,
    save_graph,
    trace,
    write_neuronpedia,
)
from monosema.core.errors import DamagedError, MismatchError, RunError
from tests.circuits.linear_models import model_of, tokens_of, transcoders_of

TEXTS = tuple(f"<{i}>" for i in range(8))

NODE = {
    "node_id": str,
    "feature": int,
    "layer": str,
    "ctx_idx": int,
    "feature_type": str,
    "jsNodeId": str,
    "clerp": str,
}
"""What schema 1.0.0 requires of a node, as what."""


@cache
def small() -> Graph:
    model = model_of("gpt2")
    tokens = torch.cat([torch.tensor([0]), tokens_of(7)])  # the first is a special token
    return trace(model, transcoders_of(model), tokens, TraceConfig(control=False)).prune(0.8, 0.9)


def about(**more: Any) -> About:
    return About("a-slug", "gpt2", "".join(TEXTS), TEXTS, **more)


def same(a: Graph, b: Graph) -> bool:
    tables = zip((a.nodes, a.edges), (b.nodes, b.edges), strict=True)
    columns = all(torch.equal(vars(x)[name], vars(y)[name]) for x, y in tables for name in vars(x))
    return (
        columns
        and torch.equal(a.tokens, b.tokens)
        and (a.scores, a.findings, a.facts, a.n_layers)
        == (
            b.scores,
            b.findings,
            b.facts,
            b.n_layers,
        )
    )


def test_a_graph_comes_back_bit_for_bit(tmp_path: Path):
    save_graph(small(), tmp_path / "graph")
    assert same(load_graph(tmp_path / "graph"), small())


def edited(folder: Path, **changes: Any) -> Path:
    save_graph(small(), folder)
    about = json.loads((folder / "graph.json").read_text())
    (folder / "graph.json").write_text(json.dumps(about | changes))
    return folder


def test_what_is_not_a_graph_is_refused(tmp_path: Path):
    with pytest.raises(RunError, match="holds no graph"):
        load_graph(tmp_path)
    with pytest.raises(MismatchError, match="graph of format 2, this version reads 1"):
        load_graph(edited(tmp_path / "version", format=2))
    with pytest.raises(MismatchError, match="not an attribution graph"):
        load_graph(edited(tmp_path / "kind", kind="a shopping list"))
    (tmp_path / "kind" / "graph.json").write_text("[1, 2]")
    with pytest.raises(MismatchError, match="not an attribution graph"):
        load_graph(tmp_path / "kind")
    (tmp_path / "kind" / "graph.json").write_text("{")
    with pytest.raises(DamagedError, match="not valid JSON"):
        load_graph(tmp_path / "kind")
    with pytest.raises(DamagedError, match="was edited"):
        load_graph(edited(tmp_path / "scores", scores={"replacement": "much"}))


def test_a_damaged_graph_is_refused(tmp_path: Path):
    folder = edited(tmp_path / "cut")
    numbers = folder / "graph.safetensors"
    whole = numbers.read_bytes()
    numbers.write_bytes(whole[:-50])
    with pytest.raises(DamagedError, match="truncated"):
        load_graph(folder)
    tensors = load_file(edited(tmp_path / "other") / "graph.safetensors")
    tensors["edge.weight"][0] += 1e-9
    save_file(tensors, numbers)
    with pytest.raises(DamagedError, match=r"is not what graph\.json was written with"):
        load_graph(folder)
    numbers.unlink()
    with pytest.raises(DamagedError, match="is missing"):
        load_graph(folder)


def test_what_is_written_for_neuronpedia_has_all_that_its_schema_requires(tmp_path: Path):
    write_neuronpedia(small(), tmp_path / "graph.json", about())
    document = json.loads((tmp_path / "graph.json").read_text())
    assert {"slug", "scan", "prompt_tokens", "prompt"} <= document["metadata"].keys()
    assert document["metadata"]["transcoder_list"] == []  # circuit-tracer's own reader wants it
    assert isinstance(document["qParams"], dict)
    assert len(document["nodes"]) == len(small().nodes)
    for node in document["nodes"]:
        assert all(isinstance(node[name], kind) for name, kind in NODE.items()), node
        assert node["influence"] is None or 0 < node["influence"] <= 1 + 1e-12
    names = [node["node_id"] for node in document["nodes"]]
    assert len(set(names)) == len({node["jsNodeId"] for node in document["nodes"]} & set(names)) + sum(
        node["feature_type"] == "cross layer transcoder" for node in document["nodes"]
    )
    assert len(set(names)) == len(names)
    for link in document["links"]:
        assert {link["source"], link["target"]} <= set(names)
        assert isinstance(link["weight"], float)
    assert len(document["links"]) == len(small().edges)
    [target] = [node for node in document["nodes"] if node["is_target_logit"]]
    assert target["token_prob"] == max(node["token_prob"] for node in document["nodes"])
    # Feature 5 of layer 2 is number 33 by Cantor's pairing: (2 + 5)(2 + 5 + 1)/2 + 5.
    numbered = {tuple(node["node_id"].split("_")[:2]): node["feature"] for node in document["nodes"]}
    features = [(int(a), int(b), n) for (a, b), n in numbered.items() if a.isdigit() and b != "-1" and a != "4"]
    assert features
    assert all(n == (a + b) * (a + b + 1) // 2 + b for a, b, n in features)


def test_a_graph_read_from_neuronpedia_is_the_one_that_was_written(tmp_path: Path):
    names = small().nodes.ids()
    logit = names[int(small().nodes.of("logit")[0])]
    told = about(labels={names[0]: "the first"}, pinned=(names[1], logit), groups=(("two", names[0], logit),))
    write_neuronpedia(small(), tmp_path / "graph.json", told)
    graph, said = read_neuronpedia(tmp_path / "graph.json")
    assert graph.nodes.ids() == names
    assert graph.n_layers == small().n_layers
    assert torch.equal(graph.tokens, small().tokens)
    assert int(graph.tokens[0]) == 0
    assert torch.equal(graph.edges.source, small().edges.source)
    assert torch.equal(graph.edges.weight, small().edges.weight)
    assert torch.equal(graph.nodes.value, small().nodes.value)
    assert (said.slug, said.scan, said.texts, said.pinned, said.groups) == (
        told.slug,
        told.scan,
        told.texts,
        told.pinned,
        told.groups,
    )
    assert said.labels[names[0]] == "the first"
    assert graph.prune(1.0, 1.0).nodes.ids() == names
    # Influence is found again from the links that there are.
    most = small().nodes.influence.argmax()
    assert graph.nodes.influence[most] == pytest.approx(float(small().nodes.influence[most]), rel=0.5)


def circuit_tracer(nodes: list[tuple[str, str, int, str, dict]], links: list[tuple[str, str, float]]) -> dict[str, Any]:
    """A file as circuit-tracer before 0.5 writes it."""
    rows = [
        {"node_id": i, "feature": 0, "layer": layer, "ctx_idx": at, "feature_type": kind, "jsNodeId": i, "clerp": ""}
        | more
        for i, layer, at, kind, more in nodes
    ]
    metadata = {"slug": "s", "scan": "m", "prompt_tokens": ["a", "b", "c", "d"], "prompt": "abcd"}
    joined = [{"source": s, "target": t, "weight": w} for s, t, w in links]
    return {"metadata": metadata, "qParams": {}, "nodes": rows, "links": joined}


def test_two_nodes_of_one_name_are_told_apart(tmp_path: Path):
    feature, error = "cross layer transcoder", "mlp reconstruction error"
    nodes = [
        ("0_5_3", "0", 3, feature, {"activation": 2.0}),
        ("0_5_3", "5", 3, error, {}),
        ("4_1_3", "4", 3, feature, {"activation": 1.0}),
        ("6_2_3", "6", 3, feature, {"activation": 1.5}),
        ("E_9_3", "E", 3, "embedding", {}),
        ("9_7_3", "9", 3, "logit", {"token_prob": 0.9}),
    ]
    links = [
        ("0_5_3", "4_1_3", 1.0),  # only the feature can: the error is above
        ("0_5_3", "6_2_3", 2.0),  # both can: circuit-tracer writes the feature first
        ("0_5_3", "6_2_3", 3.0),
        ("E_9_3", "0_5_3", 4.0),  # an error has no inputs
        ("4_1_3", "9_7_3", 5.0),
        ("6_2_3", "9_7_3", 6.0),
    ]
    (tmp_path / "old.json").write_text(json.dumps(circuit_tracer(nodes, links)))
    graph, _ = read_neuronpedia(tmp_path / "old.json")
    names = graph.nodes.ids()
    assert graph.n_layers == 8  # layer 7 was pruned away: circuit-tracer puts logits one above the last but one
    assert names == ["0_5_3", "5_-1_3", "4_1_3", "6_2_3", "E_9_3", "L_7_3"]
    ends = zip(graph.edges.source.tolist(), graph.edges.target.tolist(), graph.edges.weight.tolist(), strict=True)
    found = {(names[s], names[t]): w for s, t, w in ends}
    assert found[("0_5_3", "4_1_3")] == 1
    assert (found[("0_5_3", "6_2_3")], found[("5_-1_3", "6_2_3")]) == (2, 3)
    assert found[("E_9_3", "0_5_3")] == 4
    assert graph.facts["links_told_apart"] == "4"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "not valid JSON"),
        ("[]", "is not a graph of Neuronpedia's"),
        ('{"nodes": [], "links": []}', "needs metadata, nodes and links"),
        ('{"metadata": {"slug": "s"}, "nodes": [], "links": []}', "metadata has no scan"),
    ],
)
def test_what_is_no_graph_of_neuronpedias_is_refused(tmp_path: Path, content: str, says: str):
    (tmp_path / "graph.json").write_text(content)
    with pytest.raises((MismatchError, DamagedError), match=says):
        read_neuronpedia(tmp_path / "graph.json")


def test_broken_links_other_versions_and_unknown_nodes_are_refused(tmp_path: Path):
    logit = ("8_7_3", "8", 3, "logit", {"token_prob": 0.9})
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(circuit_tracer([logit], [("0_0_0", "8_7_3", 1.0)])))
    with pytest.raises(DamagedError, match="from '0_0_0' to '8_7_3' leads nowhere"):
        read_neuronpedia(path)
    path.write_text(json.dumps(circuit_tracer([("x", "0", 0, "attention head", {})], [])))
    with pytest.raises(MismatchError, match="node 'x' is none of schema"):
        read_neuronpedia(path)
    document = circuit_tracer([logit], [])
    document["metadata"]["schema_version"] = 3
    path.write_text(json.dumps(document))
    with pytest.raises(MismatchError, match="schema version 3"):
        read_neuronpedia(path)
    with pytest.raises(RunError, match="does not exist"):
        read_neuronpedia(tmp_path / "nothing.json")


def test_one_text_is_needed_for_each_token(tmp_path: Path):
    with pytest.raises(MismatchError, match="2 texts for a prompt of 8 tokens"):
        write_neuronpedia(small(), tmp_path / "x.json", About("s", "m", "ab", ("a", "b")))
