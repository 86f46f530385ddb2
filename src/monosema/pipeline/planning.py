"""The graphs of the planning test bed as pages: what a feature stands for is said where it is known."""

from dataclasses import replace
from pathlib import Path

from monosema.circuits import About
from monosema.circuits.attribution.graph import LOGIT, TOKEN
from monosema.circuits.planning.meanings import Drawn
from monosema.dashboard.graph.page import write_graph_page
from monosema.dashboard.graph.values import Context, Graphed
from monosema.pipeline.tracing_page import graphed_file

NO_CHANGES = "This file holds no model: its features cannot be changed. The page of the experiment says what they do."


def write_graphs(folder: Path, graphs: tuple[Drawn, ...]) -> list[Path]:
    """A page for each in `folder`, under its name."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for graph in graphs:
        paths.append(folder / f"{graph.name}.html")
        write_graph_page(paths[-1], graphed(graph), "planning", NO_CHANGES)
    return paths


def graphed(drawn: Drawn) -> Graphed:
    """What its page shows: with the facts that features stand for, and the texts where they fire most."""
    made = graphed_file(drawn.graph, about(drawn))
    contexts = {
        name: tuple(
            Context(f"{before} " if before else "", word, "", value) for before, word, value in meaning.examples
        )
        for name, meaning in drawn.meanings.items()
    }
    nodes = tuple(replace(node, contexts=contexts.get(node.name, ())) for node in made.values.nodes)
    return replace(made, values=replace(made.values, nodes=nodes))


def about(drawn: Drawn) -> About:
    """What is known of the graph besides its numbers."""
    nodes, words = drawn.graph.nodes, drawn.known.words
    labels = {name: meaning.fact for name, meaning in drawn.meanings.items() if meaning.fact}
    columns = (nodes.kind.tolist(), nodes.index.tolist(), nodes.value.tolist())
    for name, kind, index, value in zip(nodes.ids(), *columns, strict=True):
        if kind in (TOKEN, LOGIT):
            labels[name] = f"{words[index]!r} (p={value:.3f})" if kind == LOGIT else repr(words[index])
    texts = tuple(words[token] for token in drawn.graph.tokens.tolist())
    return About(drawn.name, drawn.made.reader.model.name, " ".join(texts), texts, labels)
