"""What is written for Neuronpedia fits the schema, whatever was traced; what is read is a graph or refused in words."""

import json
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from monosema.circuits import About, Graph, TraceConfig, read_neuronpedia, trace, write_neuronpedia
from monosema.circuits.attribution.neuronpedia import TYPES, graph_of_document, neuronpedia_document
from monosema.core.errors import DamagedError, MismatchError
from tests.circuits.linear_models import model_of, tokens_of, transcoders_of

SCHEMA = json.loads((Path(__file__).parent / "neuronpedia_graph.schema.json").read_text(encoding="utf-8"))
TEXTS = tuple(f"<{i}>" for i in range(8))


@cache
def whole(kind: str) -> Graph:
    """Every kind of node: GPT-2 has positions."""
    model = model_of("gpt2")
    return trace(model, transcoders_of(model, kind), tokens_of(), TraceConfig(control=False))


def written(graph: Graph, **more: Any) -> dict[str, Any]:
    return neuronpedia_document(graph, About("a-slug", "gpt2", "".join(TEXTS), TEXTS, **more))


def faults(document: Any) -> list[str]:
    """Of the JSON text, as another program would read it."""
    read = json.loads(json.dumps(document, allow_nan=False))
    return [f"{list(error.path)}: {error.message}" for error in Draft7Validator(SCHEMA).iter_errors(read)]


def test_the_schema_is_one_and_sees_faults():
    Draft7Validator.check_schema(SCHEMA)
    good = written(whole("l1"))
    for path, value in {
        ("nodes", 0, "layer"): 3,
        ("nodes", 0, "feature"): None,
        ("nodes", 0, "ctx_idx"): -1,
        ("links", 0, "weight"): "1",
        ("qParams", "supernodes"): [[]],
        ("metadata", "prompt_tokens"): "text",
    }.items():
        bad = deepcopy(good)
        *steps, last = path
        at = bad
        for step in steps:
            at = at[step]
        at[last] = value
        assert len(faults(bad)) == 1, path
    assert faults(good) == []


@pytest.mark.parametrize("kind", ["l1", "topk", "cross", "flat", "stream", "skip"])
def test_what_is_written_fits_the_schema(kind: str, tmp_path: Path):
    for graph in (whole(kind), whole(kind).prune(0.7, 0.9)):
        names = graph.nodes.ids()
        told = {"pinned": tuple(names[:3]), "groups": (("a title", *names[:2]), ("nobody",)), "labels": {names[0]: "x"}}
        document = written(graph, **told)
        assert faults(document) == []
        called = {node["node_id"] for node in document["nodes"]}
        assert len(called) == len(names)
        ends = {link[end] for link in document["links"] for end in ("source", "target")}
        assert ends | set(document["qParams"]["pinnedIds"]) <= called
        assert all(node["ctx_idx"] < len(TEXTS) for node in document["nodes"])
    assert {node["feature_type"] for node in written(whole(kind))["nodes"]} == set(TYPES.values())
    about = About("a-slug", "gpt2", "".join(TEXTS), TEXTS)
    write_neuronpedia(whole(kind), tmp_path / "graph.json", about)
    assert json.loads((tmp_path / "graph.json").read_text(encoding="utf-8")) == written(whole(kind))
    graph, said = read_neuronpedia(tmp_path / "graph.json")
    again = neuronpedia_document(graph, said)
    assert faults(again) == [] and again["links"] == written(whole(kind))["links"]


def spoilt(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    document = deepcopy(written(whole("l1").prune(0.5, 0.5), pinned=(), groups=()))
    change(document)
    return document


SPOILT: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "token": (lambda d: d["nodes"][0].update(ctx_idx=8), "token 8 of a prompt of 8 tokens: there is no such place"),
    "layer": (lambda d: d["nodes"][0].update(layer="99999999"), "there is no such place"),
    "below": (lambda d: d["nodes"][0].update(layer="-2"), "there is no such place"),
    "endless": (lambda d: d["nodes"][0].update(layer=float("inf")), "is none of schema 1.0.0"),
    "index": (lambda d: d["nodes"][0].update(node_id=f"0_{'9' * 30}_1"), "there is no such place"),
    "name": (lambda d: d["nodes"][0].update(node_id=["a"]), "is none of schema 1.0.0"),
    "kind": (lambda d: d["nodes"][0].update(feature_type=["a"]), "is none of schema 1.0.0"),
    "activation": (lambda d: d["nodes"][0].update(activation="much"), "is none of schema 1.0.0"),
    "nodes": (lambda d: d["nodes"].append("node"), "its nodes are no objects"),
    "links": (lambda d: d["links"].append(7), "its links are no objects"),
    "end": (lambda d: d["links"].append({"source": [], "target": {}, "weight": 1}), "leads nowhere"),
    "weight": (lambda d: d["links"][0].pop("weight"), "has no weight, but None"),
    "nan": (lambda d: d["links"][0].update(weight=float("nan")), "is not finite"),
    "tokens": (lambda d: d["metadata"].update(prompt_tokens=None), "its prompt_tokens are no list"),
    "params": (lambda d: d.update(qParams=[1]), "its qParams are no object"),
    "pins": (lambda d: d["qParams"].update(pinnedIds="a"), "its pinnedIds or supernodes are no list"),
    "groups": (lambda d: d["qParams"].update(supernodes=[["a", "b"], "c"]), "a supernode is no list"),
    "version": (lambda d: d["metadata"].update(schema_version=2), "has schema version 2: this version reads 1"),
    "logits": (lambda d: d.update(nodes=[n for n in d["nodes"] if n["feature_type"] != "logit"], links=[]), "no logit"),
    "twice": (lambda d: d["nodes"].append(d["nodes"][0]), "the same layer, index and token"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_what_is_spoilt_is_said(what: str):
    change, says = SPOILT[what]
    with pytest.raises((DamagedError, MismatchError)) as raised:
        graph_of_document(spoilt(change), "mine.json")
    assert says in str(raised.value) and str(raised.value).startswith("mine.json")


def test_numbers_and_nulls_that_the_schema_allows_are_read():
    names = whole("l1").prune(0.5, 0.5).nodes.ids()

    def loosened(document: dict[str, Any]) -> None:
        for node in document["nodes"]:
            node |= {"feature": None, "layer": int(node["layer"]) if node["layer"].isdigit() else node["layer"]}
            del node["influence"]
        document["qParams"] = {"pinnedIds": ["nobody", document["nodes"][0]["node_id"]]}

    graph, about = graph_of_document(spoilt(loosened), "mine.json")
    assert (graph.nodes.ids(), about.pinned, about.groups) == (names, (names[0],), ())
