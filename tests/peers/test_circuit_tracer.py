"""Graphs of circuit-tracer itself: the same matrix, the same nodes and edges after pruning.

Its environment is the benchmark's: `make peers` makes it.
"""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.circuits import CIRCUIT_TRACER, SizeConfig, prepare
from benchmarks.contenders import ROOT
from benchmarks.workers.ours_graphs import named, transcoders
from benchmarks.workers.tracing import MODEL, TOKENS
from monosema.circuits import Graph, TraceConfig, trace
from monosema.models import load

SIZE = SizeConfig(n_layers=3, d_model=32, n_heads=4, d_vocab=61, n_features=96, n_tokens=9, share=0.15)


@pytest.fixture(scope="module", params=[False, True], ids=["each layer", "cross-layer"])
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graphs")
    prepare(folder, replace(SIZE, cross=request.param), seed=0)
    code = f"from benchmarks.workers.circuit_tracer import write; write({str(folder)!r})"
    command = [str(CIRCUIT_TRACER.python()), "-c", code]
    subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, env={**os.environ})
    return folder


@pytest.fixture(scope="module")
def graph(subject: Path) -> Graph:
    model = load(subject / MODEL)
    tokens = load_file(subject / TOKENS)["tokens"]
    settings = TraceConfig(edge_floor=0.0, constants=False, control=False)
    return trace(model, transcoders(subject, model.n_layers), tokens, settings)


@pytest.mark.slow
def test_the_matrix_is_circuit_tracers_to_rounding(subject: Path, graph: Graph):
    theirs = load_file(subject / "circuit_tracer.safetensors")
    number = {name: i for i, name in enumerate(named(graph))}
    order = torch.tensor([number[tuple(name)] for name in theirs["nodes"].tolist()])
    A = torch.zeros(len(number), len(number))
    A[graph.edges.target, graph.edges.source] = graph.edges.weight
    assert len(order) == len(number) - SIZE.n_tokens - 1  # positions and biases are ours alone
    torch.testing.assert_close(A[order][:, order], theirs["A"], rtol=1e-4, atol=2e-6)
    assert theirs["A"].abs().max() > 0.01
    mine = graph.nodes.value[graph.nodes.of("logit")]
    torch.testing.assert_close(mine.float(), theirs["probability"], rtol=1e-4, atol=1e-7)


@pytest.mark.slow
def test_pruning_keeps_the_same_nodes_and_edges(subject: Path, graph: Graph):
    theirs = load_file(subject / "circuit_tracer.safetensors")
    names = [tuple(name) for name in theirs["nodes"].tolist()]
    small = graph.prune()
    mine = named(small)
    edges = {(mine[s], mine[t]) for s, t in zip(small.edges.source.tolist(), small.edges.target.tolist(), strict=True)}
    expected = {(names[s], names[t]) for t, s in theirs["edges"].nonzero().tolist()}
    assert set(mine) == {names[i] for i in theirs["kept"].nonzero()[:, 0].tolist()}
    assert len(edges ^ expected) <= 0.002 * len(expected)  # the last edges are chosen by sums of float32
