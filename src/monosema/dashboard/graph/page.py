"""The page of an attribution graph: `GraphValues` --layout, template--> one HTML file that needs nothing else."""

from pathlib import Path

from monosema.core.runs import write_text
from monosema.dashboard import cells
from monosema.dashboard.graph.layout import SHAPES, WORDS, drawn
from monosema.dashboard.graph.values import GraphValues
from monosema.dashboard.page import asset, policy, templates


def graph_page(values: GraphValues) -> str:
    """The page as HTML. The same graph gives the same text."""
    style = asset("theme.css") + asset("report.css") + asset("graph.css")
    script = asset("report.js") + asset("graph.js")
    drawing = drawn(values)
    kinds = {node.kind for node in values.nodes}
    findings = [
        (found.name.replace("_", " "), cells.cell(found, cells.decimals_of([found])), found)
        for found in values.findings
    ]
    return (
        templates()
        .get_template("graph/page.html")
        .render(
            title="trace",
            values=values,
            drawing=drawing,
            keys=[(kind, SHAPES[kind], words) for kind, words in WORDS.items() if kind in kinds],
            findings=findings,
            style=style,
            script=script,
            policy=policy(script),
        )
    )


def write_graph_page(path: Path, values: GraphValues) -> None:
    """Write the page to `path`, whole or not at all."""
    write_text(path, graph_page(values))
