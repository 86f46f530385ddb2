"""The page of a check: one file that needs nothing else, in the dress of the report."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from monosema.core.runs import write_text
from monosema.dashboard.page import HERE, asset, policy, shown_text
from monosema.dashboard.sections.check import view
from monosema.evaluation.checks import Check


def check_page(check: Check, title: str) -> str:
    """The page as HTML. The same check gives the same text; nothing is fetched when it is opened."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown_text,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = asset("theme.css") + asset("report.css") + asset("check.css"), asset("report.js")
    template = environment.get_template("check/page.html")
    return template.render(title=title, view=view(check), style=style, script=script, policy=policy(script))


def write_check(path: Path, check: Check, title: str) -> None:
    """Write the page to `path`, whole or not at all."""
    write_text(path, check_page(check, title))
