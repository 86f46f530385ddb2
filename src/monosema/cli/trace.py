"""`monosema trace`: from a prompt to the features that caused what the model says next."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction

from monosema.cli.showing import Grid, Outcome
from monosema.core.config import require, require_range

if TYPE_CHECKING:
    from monosema.circuits import Graph
    from monosema.pipeline.tracing import Ground, TracingConfig


@dataclass(frozen=True)
class Arguments:
    """The attribution graph of a prompt: OUT/trace.html, graph.json with its numbers, and neuronpedia.json.

    RUN holds transcoders of every layer: harvest with --site mlp_in --site mlp_out, train with --reads mlp_in
    --writes mlp_out. They stand for the MLPs; attention patterns and norms are held.
    """

    run: Positional[Path]
    """Run directory with transcoders for every layer."""
    prompt: Positional[str]
    """What the model has read; the graph explains what it says next."""
    dictionaries: UseAppendAction[tuple[str, ...]] = ()
    """Transcoders by name, or by the name of a set; again for several. Default: the run's only set."""
    target: UseAppendAction[tuple[str, ...]] = ()
    """A token to explain, such as " is"; again for several. Default: the likeliest, up to .95 of probability."""
    nodes: float = 0.8
    """Keep the nodes that carry this share of influence."""
    edges: float = 0.98
    """Keep the edges that carry this share of what is left."""
    from_token: int = 1
    """Features at earlier tokens count as error: what stands first is seldom read alike."""
    max_features: int = 32_768
    """Features in the graph before it is pruned."""
    paths: int = 5
    """Strongest paths that are printed."""
    heads: int = 0
    """Edges between two tokens, the strongest, whose heads are listed, with why these looked where they did."""
    control: bool = True
    """Also score transcoders in which each feature writes what another one wrote."""
    seed: int = 0
    """Of the controls."""
    out: Path = Path("trace")
    """Folder to write to."""
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Trace, prune, write, and say the scores and the strongest paths."""
    a = arguments
    require_range("nodes", a.nodes, 0, 1)
    require_range("edges", a.edges, 0, 1)
    require(a.paths >= 0, f"--paths is {a.paths}: it must be at least 0")
    require(a.heads >= 0, f"--heads is {a.heads}: it must be at least 0")

    from monosema.dashboard.graph.page import write_graph_page
    from monosema.pipeline.tracing import TracingConfig, open_ground, traced, write_graph
    from monosema.pipeline.tracing_page import graphed

    config = TracingConfig(a.target, a.nodes, a.edges, a.from_token, a.max_features, a.control, a.seed)
    ground = open_ground(a.run, a.dictionaries)
    graph = traced(ground, a.prompt, config)
    passed, tables = _heads(ground, graph, config, a.heads)
    page, shown = a.out / "trace.html", graphed(ground, graph)
    wrote = write_graph(ground, graph, a.out)
    write_graph_page(page, shown)
    ways = _paths(ground, graph, a.paths)
    features = graph.nodes.of("feature")
    findings = {finding.name: finding for finding in graph.findings}
    return Outcome(
        wrote=(page, *wrote),
        next=_next(a.out, graph),
        result={
            "nodes": len(graph.nodes),
            "features": len(features),
            "edges": len(graph.edges),
            "findings": {name: vars(finding) for name, finding in findings.items()},
            "paths": [{"strength": strength, "nodes": names} for strength, names, _ in ways],
            **passed,
        },
        shown=(
            f"{len(graph.nodes):,} nodes, {len(features):,} of them features, and {len(graph.edges):,} edges",
            Grid(("finding", "value"), [[name.replace("_", " "), str(found)] for name, found in findings.items()]),
            "",
            Grid(
                ("of the probability", "path"),
                [[f"{strength:.2g}", text] for strength, _, text in ways],
                frozenset({"of the probability"}),
            ),
            *tables,
            f"open {page.resolve().as_uri()}",
        ),
    )


def _paths(ground: "Ground", graph: "Graph", n: int) -> list[tuple[float, list[str], str]]:
    """The strongest paths: how strong, the nodes' names, and how it reads."""
    from monosema.pipeline.tracing import named
    from monosema.pipeline.tracing_paths import strongest

    names, said = graph.nodes.ids(), named(ground, graph)
    return [
        (way.strength, [names[i] for i in way.nodes], " > ".join(said[i] or names[i] for i in way.nodes))
        for way in (strongest(graph, n) if n else [])
    ]


def _heads(ground: "Ground", graph: "Graph", config: "TracingConfig", n: int) -> tuple[dict[str, Any], list[Any]]:
    """What --heads adds to the result, and what it prints."""
    if not n:
        return {}, []
    from dataclasses import asdict

    from monosema.cli.passing import tables
    from monosema.pipeline.tracing_heads import passing

    found = passing(ground, graph, config, n)
    return {"heads": asdict(found)}, tables(found)


def _next(out: Path, graph: "Graph") -> str:
    """The most influential feature taken away; without one there is nothing to change."""
    features = graph.nodes.of("feature")
    if not len(features):
        return ""
    most = int(features[graph.nodes.influence[features].argmax()])
    return f"monosema intervene {out} --node {graph.nodes.ids()[most]} --set 0"
