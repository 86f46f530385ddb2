"""The page of an attribution graph: `Graphed` --layout, template--> one HTML file that needs nothing else.

The screen of the browser shows the same by the same parts: `graph_view` and `SCRIPTS`.
"""

from pathlib import Path
from typing import Any

from markupsafe import Markup

from monosema.core.runs import write_text
from monosema.dashboard import cells
from monosema.dashboard.graph.layout import SHAPES, WORDS, drawn
from monosema.dashboard.graph.values import Graphed, GraphValues
from monosema.dashboard.page import asset, policy, templates

SCRIPTS = ("graph.js", "supernodes.js", "changes.js", "download.js")
"""What makes the graph answer: parts of one script, in this order."""

FROM_RUN = "Changing features needs the model: monosema dash RUN shows this graph on its page Graph, and does it there."
FROM_FILE = "A file holds no model: features of this graph cannot be changed."


def graph_view(values: GraphValues) -> dict[str, Any]:
    """What the templates of a graph are told."""
    kinds = {node.kind for node in values.nodes}
    findings = [
        (found.name.replace("_", " "), cells.cell(found, cells.decimals_of([found])), found)
        for found in values.findings
    ]
    signs = [(kind, SHAPES[kind], words) for kind, words in WORDS.items() if kind in kinds]
    return {"values": values, "drawing": drawn(values), "signs": signs, "findings": findings}


def graph_script() -> str:
    """The script of a graph."""
    return "\n".join(asset(name) for name in SCRIPTS)


def graph_page(graphed: Graphed, verb: str = "trace", no_changes: str = FROM_RUN) -> str:
    """The page as HTML. The same graph gives the same text. `verb` made it; `no_changes` says why nothing can be
    changed."""
    style = asset("theme.css") + asset("report.css") + asset("graph.css")
    # In a block of its own, the names of the one script are not those of the other.
    script = Markup(f"{asset('report.js')}{{\n{graph_script()}}}\n")
    return (
        templates()
        .get_template("graph/page.html")
        .render(
            **graph_view(graphed.values),
            title=verb,
            document=Markup(graphed.document.replace("<", "\\u003c")),
            document_url="",
            table_url=None,
            live=None,
            no_changes=no_changes,
            style=style,
            script=script,
            policy=policy(script),
        )
    )


def write_graph_page(path: Path, graphed: Graphed, verb: str = "trace", no_changes: str = FROM_RUN) -> None:
    """Write the page to `path`, whole or not at all."""
    write_text(path, graph_page(graphed, verb, no_changes))
