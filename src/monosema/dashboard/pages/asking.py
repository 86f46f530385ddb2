"""What a page is asked, and what one is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from monosema.core.config import require
from monosema.core.errors import ConfigError, MonosemaError, unknown
from monosema.dashboard.library import Library, Place


@dataclass(frozen=True)
class Asked:
    """A request, read: `place` where the address names a dictionary, `number` where it ends in one,
    `given` the decoded keys and values after the question mark."""

    library: Library
    given: Mapping[str, str]
    chosen: Place | None = None
    number: int = 0

    @property
    def place(self) -> Place:
        """The dictionary that the address names."""
        assert self.chosen is not None
        return self.chosen

    def only(self, *keys: str) -> None:
        """Raises ConfigError for a key that the page does not know."""
        for key in self.given:
            require(key in keys, unknown("key", key, keys) if keys else f"this page takes no '{key}'")

    def whole(self, key: str) -> int | None:
        """A whole number, or None when it is not given."""
        text = self.given.get(key, "")
        if text and not (text.isascii() and text.isdigit() and len(text) < 12):
            raise ConfigError(f"{key} is {text!r}: it must be a whole number")
        return int(text) if text else None


@dataclass(frozen=True)
class Page:
    """A screen. `path` may hold {run}, {dictionary} and {number}; `nav` is its word in the bar, '' for none.

    rows  what is asked -> frozen rows, which the JSON twin shows as they are
    view  rows, what is asked -> what the template of the name `key` shows
    failed  an error, what is asked -> what that template shows in place of rows; without it the error has a
            page of its own
    """

    key: str
    path: str
    title: str
    nav: str
    rows: Callable[[Asked], Any]
    view: Callable[[Any, Asked], Mapping[str, Any]]
    failed: Callable[[MonosemaError, Asked], Mapping[str, Any]] | None = None


def address(place: Place | None, rest: str = "", **given: object) -> str:
    """The address of a page of a dictionary, with keys and values after the question mark."""
    start = "" if place is None else f"/r/{quote(place.run, safe='')}/{quote(place.dictionary, safe='')}"
    pairs = urlencode([(key, str(value)) for key, value in given.items() if value not in (None, "")], quote_via=quote)
    return f"{start}/{rest}{'?' * bool(pairs)}{pairs}"
