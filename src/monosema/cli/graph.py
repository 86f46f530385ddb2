"""`monosema graph`: an attribution graph that is there already, drawn as a page."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import FlagCreatePairsOff, Positional

from monosema.cli.showing import Grid, Outcome
from monosema.core.config import require_range

if TYPE_CHECKING:
    from monosema.circuits import About, Graph


@dataclass(frozen=True)
class Arguments:
    """Draw a graph as a page: Neuronpedia's or circuit-tracer's JSON, or a folder that `monosema trace` wrote.

    No model is needed. Pins and groups of the file are those that the page opens with.
    """

    graph: Positional[Path]
    """File of Neuronpedia's or circuit-tracer's, or a folder of `monosema trace`."""
    nodes: float = 1.0
    """Keep the nodes that carry this share of influence."""
    edges: float = 1.0
    """Keep the edges that carry this share of what is left."""
    out: Path = Path("graph.html")
    """Page to write."""
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Read, prune, draw."""
    a = arguments
    require_range("nodes", a.nodes, 0, 1)
    require_range("edges", a.edges, 0, 1)

    from monosema.dashboard.graph.page import FROM_FILE, FROM_RUN, write_graph_page
    from monosema.pipeline.tracing_page import graphed_file

    graph, about = _opened(a.graph)
    graphed = graphed_file(graph if a.nodes == a.edges == 1 else graph.prune(a.nodes, a.edges), about)
    write_graph_page(a.out, graphed, "graph", FROM_RUN if "run" in graph.facts else FROM_FILE)
    values = graphed.values
    features = sum(node.kind == "feature" for node in values.nodes)
    return Outcome(
        wrote=(a.out,),
        next="",
        result={
            "nodes": len(values.nodes),
            "features": features,
            "edges": len(values.edges),
            "groups": len(values.groups),
            "findings": {finding.name: vars(finding) for finding in values.findings},
        },
        shown=(
            f"{len(values.nodes):,} nodes, {features:,} of them features, and {len(values.edges):,} edges",
            *([values.note] if values.note else []),
            Grid(("finding", "value"), [[found.name.replace("_", " "), str(found)] for found in values.findings]),
            f"open {a.out.resolve().as_uri()}",
        ),
    )


def _opened(path: Path) -> "tuple[Graph, About]":
    """The graph, and what is said of it: by the file beside it, where it is a folder of ours."""
    from monosema.circuits import About, load_graph, read_neuronpedia

    if not path.is_dir():
        return read_neuronpedia(path)
    graph, beside = load_graph(path), path / "neuronpedia.json"
    if beside.exists():
        about = read_neuronpedia(beside)[1]
        if len(about.texts) == len(graph.tokens):
            return graph, about
    texts = tuple(f"⟨{token}⟩" for token in graph.tokens.tolist())
    prompt = graph.facts.get("prompt", "".join(texts))
    return graph, About("graph", graph.facts.get("model", "a model"), prompt, texts)
