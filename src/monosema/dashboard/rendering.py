"""Templates of the browser: everything printed is escaped, and made visible where it has no shape of its own."""

from functools import cache

from jinja2 import Environment
from markupsafe import Markup, escape

from monosema.dashboard.page import templates
from monosema.dashboard.pages.asking import address


@cache
def environment() -> Environment:
    """The templates, read once. The filter `as_typed` leaves a text as it is but for the escaping."""
    made = templates()
    made.filters["as_typed"] = lambda text: Markup(escape(text))
    made.globals["address"] = address
    return made
