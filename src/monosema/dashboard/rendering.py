"""Templates of the browser: everything printed is escaped, and made visible where it has no shape of its own."""

from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from monosema.dashboard.page import HERE, shown_text
from monosema.dashboard.pages.asking import address


@cache
def environment() -> Environment:
    """The templates, read once. The filter `as_typed` leaves a text as it is but for the escaping."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown_text,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["as_typed"] = lambda text: Markup(escape(text))
    made.globals["address"] = address
    return made
