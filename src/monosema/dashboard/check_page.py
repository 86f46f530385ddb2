"""The page of a check: one file that needs nothing else, in the dress of the report."""

from pathlib import Path

from monosema.core.runs import write_text
from monosema.dashboard.page import asset, policy, templates
from monosema.dashboard.sections.check import view
from monosema.evaluation.checks import Check


def check_page(check: Check, title: str) -> str:
    """The page as HTML. The same check gives the same text; nothing is fetched when it is opened."""
    style, script = asset("theme.css") + asset("report.css") + asset("check.css"), asset("report.js")
    template = templates().get_template("check/page.html")
    return template.render(title=title, view=view(check), style=style, script=script, policy=policy(script))


def write_check(path: Path, check: Check, title: str) -> None:
    """Write the page to `path`, whole or not at all."""
    write_text(path, check_page(check, title))
