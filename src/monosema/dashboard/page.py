"""A report: one file that needs nothing else.

    sections  data --view--> what a template shows --template--> HTML, escaped
    page      style sheet and script from package files, inlined; the policy in the head lets the
              browser run that script alone, and fetch nothing

Every text that comes from data passes through autoescaping; the templates call nothing safe.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from monosema.core.runs import write_text
from monosema.dashboard.data import ReportData
from monosema.dashboard.sections import features, frequencies, frontier, origins, prune, scorecard
from monosema.dashboard.text import visible

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Section:
    """A part of the page. When `view` gives None, `missing` says what there would be, and how to get it."""

    key: str
    title: str
    view: Callable[[ReportData], Any]
    missing: str


SECTIONS = (
    Section("scorecard", "Scorecard", scorecard.view, "No dictionary has been scored: `monosema score RUN` does it."),
    Section("frontier", "Frontier", frontier.view, "No scores that could be drawn against L0."),
    Section("frequencies", "Frequencies", frequencies.view, "No frequencies: `monosema score RUN` counts them."),
    Section("prune", "Prune study", prune.view, "There is no prune study: `monosema prune RUN --sweep` makes one."),
    Section("features", "Features", features.view, "No features have been sampled: `monosema report RUN` does it."),
    Section("origins", "Where this comes from", origins.view, "Nothing is recorded about how these numbers were made."),
)
"""The page from top to bottom. A new part is a file in sections/, a template of the same name, a line here."""


def templates() -> Environment:
    """The templates of every page: what they print is escaped, and a name that is not given is an error."""
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown_text,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def report(data: ReportData) -> str:
    """The page as HTML. The same data gives the same text; nothing is fetched when it is opened."""
    style, script = asset("theme.css") + asset("report.css"), asset("report.js")
    shown = [(section, section.view(data)) for section in SECTIONS]
    return (
        templates()
        .get_template("page.html")
        .render(title=data.title, facts=data.facts, sections=shown, style=style, script=script, policy=policy(script))
    )


def write_report(path: Path, data: ReportData) -> None:
    """Write the page to `path`, whole or not at all."""
    write_text(path, report(data))


def shown_text(value: Any) -> Any:
    """What a template prints: any text in its visible form (ours are already, names and facts need not be)."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def asset(name: str) -> Markup:
    """A style sheet or script of the package, as it is."""
    return Markup((HERE / "assets" / name).read_text(encoding="utf-8"))


def policy(script: str) -> str:
    """What the browser may do with a page whose only script this is: run it, and fetch nothing."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:"
