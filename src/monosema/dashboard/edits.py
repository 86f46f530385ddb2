"""What can be changed: labels, lists and saved views. Each edit gives the address to go to next."""

from collections.abc import Callable

from monosema.core.config import require
from monosema.core.errors import ConfigError
from monosema.dashboard.pages.asking import Asked, address
from monosema.features.browse.query import Query
from monosema.features.labels import Label


def label(asked: Asked) -> str:
    """What one rater says of a feature."""
    asked.only("rater", "label", "comment", "rating", "next")
    place, given = asked.place, asked.given
    place.table.row(asked.number)  # says so when there is no such feature
    rating = given.get("rating", "")
    require(rating in ("", *"12345"), f"the rating is {rating!r}: it must be 1 to 5, or empty")
    fingerprint = place.table.manifest.dictionary_fingerprint
    place.labels.add(
        Label(
            dictionary=place.dictionary,
            fingerprint=fingerprint,
            feature=asked.number,
            rater=given.get("rater", "").strip() or "me",
            label=given.get("label", "").strip(),
            comment=given.get("comment", "").replace("\r\n", "\n").strip(),
            rating=int(rating) if rating else None,
        )
    )
    return _next(asked, f"feature/{asked.number}")


def put_on_list(asked: Asked) -> str:
    """Put a feature on a list, or take it off."""
    asked.only("name", "member", "next")
    asked.place.table.row(asked.number)
    name = asked.given.get("name", "").strip()
    asked.place.labels.put(name, asked.place.dictionary, asked.number, member=asked.given.get("member") != "no")
    return _next(asked, f"feature/{asked.number}")


def save_view(asked: Asked) -> str:
    """Keep a query under a name."""
    asked.only("name", "query")
    query = Query.from_url(asked.given.get("query", ""))
    asked.place.labels.save_view(asked.given.get("name", "").strip(), asked.place.dictionary, query.to_url())
    url = query.to_url()
    return address(asked.place, "features") + ("?" + url if url else "")


EDITS: dict[str, Callable[[Asked], str]] = {
    "feature/{number}/label": label,
    "feature/{number}/list": put_on_list,
    "views": save_view,
}
"""Every edit by the end of its address, below the dictionary."""


def _next(asked: Asked, default: str) -> str:
    """Where the form says to go: only to a page of ours."""
    wanted = asked.given.get("next", "")
    if not wanted:
        return address(asked.place, default)
    if not wanted.startswith("/r/") or "//" in wanted or "\\" in wanted or not wanted.isprintable():
        raise ConfigError("the page to go to next is none of this server's")
    return wanted
