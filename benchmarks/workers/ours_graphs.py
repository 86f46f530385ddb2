"""monosema: `circuits.trace` and `Graph.prune`. settings: those of `TraceConfig`; constants take no share of influence,
as they take none in circuit-tracer, and what the peer makes has no control, nor has this."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from benchmarks.workers.tracing import MODEL, TOKENS, TRANSCODERS, Kept, Trace, TraceTask, serve_traces
from monosema import models
from monosema.circuits import Graph, TraceConfig, trace
from monosema.circuits.attribution.graph import BIAS, POSITION
from monosema.dictionaries import Dictionary, L1Config, Weights
from monosema.dictionaries.l1 import L1


def transcoders(subject: Path, n_layers: int) -> list[Dictionary]:
    """ReLU transcoders that read what the MLP reads and write what it writes, in their layer or in later ones too."""
    weights, found = load_file(subject / TRANSCODERS), []
    for layer in range(n_layers):
        W_enc, W_dec, b_enc, b_dec = (weights[f"{layer}.{name}"] for name in ("W_enc", "W_dec", "b_enc", "b_dec"))
        n, writes, d = W_dec.shape
        elsewhere = torch.zeros((writes - 1) * d)  # each layer's constant is written once, by its own transcoder
        one = Dictionary(
            "l1",
            L1(L1Config(n_features=n)),
            Weights(W_enc, W_dec.flatten(1), b_enc, torch.cat([b_dec, elsewhere]), centred=False),
            (f"mlp_in.{layer}",),
            tuple(f"mlp_out.{layer + i}" for i in range(writes)),
            (d,),
            (d,) * writes,
            torch.ones(n, dtype=torch.bool),
        )
        found.append(one)
    return found


def named(graph: Graph) -> list[tuple[int, int, int]]:
    """Every node, as `Kept` names them; positions and biases, which circuit-tracer has not, with a feature of -2."""
    nodes = graph.nodes
    constant = (nodes.kind == BIAS) | (nodes.kind == POSITION)
    columns = (nodes.layer, torch.where(constant, -2, nodes.index), nodes.token)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def prepare(task: TraceTask) -> Trace:
    subject = Path(task.subject)
    model, tokens = models.load(subject / MODEL), load_file(subject / TOKENS)["tokens"]
    ours = transcoders(subject, model.n_layers)
    config = TraceConfig(constants=False, control=False, **task.settings)

    trace(model, ours, tokens[:2], config).prune()  # what is imported on first use is not in the time

    def run() -> Kept:
        whole = trace(model, ours, tokens, config)
        small = whole.prune()
        ends = zip(small.edges.source.tolist(), small.edges.target.tolist(), strict=True)
        return Kept(len(whole.nodes), named(small), list(ends))

    return run


if __name__ == "__main__":
    serve_traces(prepare)
