"""What a page of features shows, as a value, and as the query string of a URL: each gives the other exactly.

    q=def&kind=alive&frequency.max=0.01&importance.min=0&sort=-importance&page=2

What has its default is left out; the rest stands in a fixed order, so that equal queries have equal URLs.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, quote, urlencode

from monosema.core.config import require, require_range
from monosema.core.errors import ConfigError, unknown
from monosema.features.browse.columns import COLUMNS

Kind = Literal["all", "alive", "dead", "dense", "rare"]
Labelled = Literal["any", "yes", "no"]
SIZES = (25, 50, 100, 200)
LAST_PAGE = 10_000_000


def _require_known(what: str, name: str, known: Collection[str]) -> None:
    """Raise ConfigError naming the nearest; only then is it looked for, which takes a millisecond."""
    if name not in known:
        raise ConfigError(unknown(what, name, known))


@dataclass(frozen=True)
class Range:
    """Keeps features whose `column` is in [low, high]; None is no bound. A feature without the number is left out."""

    column: str
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        _require_known("column", self.column, COLUMNS)
        bounds = [bound for bound in (self.low, self.high) if bound is not None]
        require(bool(bounds), f"{self.column} has neither a lower nor an upper bound")
        require(all(map(math.isfinite, bounds)), f"the bounds of {self.column} must be finite, got {bounds}")
        require(
            len(bounds) < 2 or bounds[0] <= bounds[1],
            f"{self.column} from {self.low} to {self.high}: nothing lies between",
        )


@dataclass(frozen=True)
class Query:
    """Filters, order, page, and the axes of the scatter beside it.

    text      in the label, an explanation or the top token, whatever the case; or the feature's number
    kind      'rare': fires on fewer than ten tokens or on less than one in 100,000; 'dense': on more than a tenth
    """

    text: str = ""
    kind: Kind = "all"
    labelled: Labelled = "any"
    ranges: tuple[Range, ...] = ()
    sort: str = "importance"
    descending: bool = True
    page: int = 1
    size: int = 50
    x: str = "frequency"
    y: str = "importance"

    def __post_init__(self) -> None:
        require(len(self.text) <= 200, f"the text to look for has {len(self.text)} characters: at most 200")
        for what in (self.sort, self.x, self.y):
            _require_known("column", what, COLUMNS)
        require_range("page", self.page, 1, LAST_PAGE)
        require_range("size", self.size, 1, max(SIZES))
        order = [list(COLUMNS).index(r.column) for r in self.ranges]
        require(len(set(order)) == len(order), "a column is bounded twice")
        if order != sorted(order):
            ordered = tuple(sorted(self.ranges, key=lambda r: list(COLUMNS).index(r.column)))
            object.__setattr__(self, "ranges", ordered)

    def range(self, column: str) -> Range | None:
        """The bounds of a column, if it has any."""
        return next((r for r in self.ranges if r.column == column), None)

    def to_url(self) -> str:
        """The query string, without its question mark."""
        given: list[tuple[str, str]] = []
        for name, key in _KEYS.items():
            value, default = getattr(self, name), _DEFAULTS[name]
            if name == "sort" and (self.sort, self.descending) != (_DEFAULTS["sort"], _DEFAULTS["descending"]):
                given.append(("sort", f"{'-' if self.descending else ''}{self.sort}"))
            elif name != "sort" and value != default:
                given.append((key, str(value)))
        for r in self.ranges:
            bounds = {"min": r.low, "max": r.high}
            given += [(f"{r.column}.{end}", repr(float(bound))) for end, bound in bounds.items() if bound is not None]
        return urlencode(given, quote_via=quote)

    @staticmethod
    def from_url(text: str) -> "Query":
        """The query that a query string says; a key without a value says nothing.

        Raises ConfigError naming the nearest key for an unknown one, or what a value should have been.
        """
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=100, errors="strict")
        except ValueError as error:
            raise ConfigError(f"the address's query does not read: {error}") from error
        given: dict[str, str] = {}
        for key, value in pairs:
            require(key not in given, f"'{key}' stands twice in the address")
            given[key] = value
        return Query.from_pairs(given)

    @staticmethod
    def from_pairs(given: Mapping[str, str]) -> "Query":
        """As `from_url`, of decoded keys and values."""
        known = {*_KEYS.values(), *(f"{column}.{end}" for column in COLUMNS for end in ("min", "max"))}
        for key in given:
            _require_known("filter", key, known)
        given = {key: value for key, value in given.items() if value != ""}
        sort = given.get("sort", "-importance")
        bounded = dict.fromkeys(key.rpartition(".")[0] for key in given if "." in key)
        return Query(
            text=given.get("q", ""),
            kind=_choice("kind", given.get("kind", "all"), get_args(Kind)),
            labelled=_choice("labelled", given.get("labelled", "any"), get_args(Labelled)),
            ranges=tuple(Range(c, _number(given, f"{c}.min"), _number(given, f"{c}.max")) for c in bounded),
            sort=sort.removeprefix("-"),
            descending=sort.startswith("-"),
            page=_whole(given, "page", 1),
            size=_whole(given, "size", 50),
            x=given.get("x", "frequency"),
            y=given.get("y", "importance"),
        )


_KEYS = {
    "text": "q",
    "kind": "kind",
    "labelled": "labelled",
    "sort": "sort",
    "page": "page",
    "size": "size",
    "x": "x",
    "y": "y",
}
_DEFAULTS = {field.name: field.default for field in fields(Query)}


def _choice(key: str, value: str, known: tuple[str, ...]) -> Any:
    _require_known(f"value of {key}", value, known)
    return value


def _number(given: Mapping[str, str], key: str) -> float | None:
    if key not in given:
        return None
    try:
        return float(given[key])
    except ValueError as error:
        raise ConfigError(f"{key} is {given[key]!r}: it must be a number, such as 0.01 or 1e-4") from error


def _whole(given: Mapping[str, str], key: str, default: int) -> int:
    text = given.get(key, str(default))
    require(text.isascii() and text.isdigit() and len(text) < 12, f"{key} is {text!r}: it must be a whole number")
    return int(text)
