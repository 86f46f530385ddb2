"""A document: everything that fires at a token; and the list of documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monosema.dashboard.measures import small
from monosema.dashboard.numbers import count, percent, short
from monosema.dashboard.pages.asking import Asked, address
from monosema.dashboard.text import token, visible
from monosema.dashboard.windows import LEVELS, characters, level
from monosema.features.browse.rows import Document, DocumentPage, DocumentToken, Firing

LISTED = 200


@dataclass(frozen=True)
class DocumentList:
    """The first documents whose name holds the text."""

    text: str
    documents: tuple[Document, ...]
    n_documents: int


def list_rows(asked: Asked) -> DocumentList:
    """The documents whose name holds what is looked for."""
    asked.only("q")
    text, table = asked.given.get("q", ""), asked.place.table
    return DocumentList(text, tuple(table.documents.listed(text, LISTED)), table.manifest.n_documents)


def list_view(found: DocumentList, asked: Asked) -> Mapping[str, Any]:
    """Links to them."""
    links = [
        (address(asked.place, f"document/{d.document}"), visible(d.name), count(d.n_tokens)) for d in found.documents
    ]
    return {"links": links, "text": found.text, "n": count(found.n_documents), "cut": len(links) == LISTED}


def rows(asked: Asked) -> DocumentPage:
    """A stretch of the document: around `at`, or from `from`; `feature` is shown at every token."""
    asked.only("at", "from", "feature")
    at, start, feature = (asked.whole(key) for key in ("at", "from", "feature"))
    return asked.place.table.documents.page(asked.number, start, at, feature)


def view(found: DocumentPage, asked: Asked) -> Mapping[str, Any]:
    """Tokens as links, and the features that fire at the chosen one."""
    feature, place = asked.whole("feature"), asked.place
    start = asked.whole("from")
    largest = max((t.act for t in found.tokens), default=0.0) if feature is not None else max_firing(found.tokens)
    if feature is not None:
        largest = place.table.row(feature).max_act

    def to(at: int) -> str:
        return address(place, f"document/{found.document}", at=at, feature=feature, **{"from": start})

    def moved(place_from: int | None) -> str:
        if place_from is None:
            return ""
        return address(place, f"document/{found.document}", feature=feature, **{"from": place_from})

    labels = place.current()
    chosen = next((t for t in found.tokens if t.pos == found.at), None)
    return {
        "page": found,
        "name": visible(found.name),
        "n_tokens": count(found.n_tokens),
        "feature": feature,
        "feature_label": labels.get(feature, "") if feature is not None else "",
        "pieces": [
            _piece(found.tokens[a:b], found.at, feature, largest, to)
            for a, b in characters([t.text for t in found.tokens])
        ],
        "chosen": None if chosen is None else token(chosen.text, chosen.id),
        "chosen_pos": "" if chosen is None else _where(chosen.pos, place.table.manifest.context),
        "firing": [_firing(asked, found, f, labels) for f in found.firing],
        "strongest": [_firing(asked, found, f, labels) for f in found.strongest],
        "previous": moved(found.previous),
        "following": moved(found.following),
        "without": address(place, f"document/{found.document}", at=found.at, **{"from": start}),
    }


def _where(pos: int, context: int) -> str:
    return f"position {count(pos % context)} of block {count(pos // context)}"


def max_firing(tokens: tuple[DocumentToken, ...]) -> float:
    """The most features that fire at one token."""
    return float(max((t.n_firing for t in tokens), default=0))


def _piece(
    tokens: tuple[DocumentToken, ...], at: int | None, feature: int | None, largest: float, to: Any
) -> dict[str, Any]:
    strength = max((t.act if feature is not None else float(t.n_firing)) for t in tokens)
    shade = level(strength, largest) if strength > 0 else 0
    if feature is None:
        shade = shade * 3 // LEVELS  # counts stay pale: they are not activations
        says = f"{count(max(t.n_firing for t in tokens))} features fire"
    else:
        says = f"activation {short(strength)}" if strength > 0 else "does not fire"
    text = visible("".join(t.text for t in tokens))
    return {
        "text": text or token("", tokens[0].id),
        "css": f"a{shade}" if shade else "",
        "url": to(tokens[-1].pos),
        "chosen": any(t.pos == at for t in tokens),
        "says": says,
        "ends_line": text.endswith("↵"),
    }


def _firing(asked: Asked, found: DocumentPage, firing: Firing, labels: Mapping[int, str]) -> dict[str, Any]:
    return {
        "feature": firing.feature,
        "url": address(asked.place, f"feature/{firing.feature}"),
        "shade": address(
            asked.place,
            f"document/{found.document}",
            at=found.at,
            feature=firing.feature,
            **{"from": asked.whole("from")},
        ),
        "act": short(firing.act),
        "share": round(100 * min(1.0, firing.share_of_max)),
        "of_max": percent(min(1.0, firing.share_of_max)),
        "frequency": percent(firing.frequency),
        "importance": small(firing.importance),
        "says": labels.get(firing.feature) or firing.floor_text,
        "labelled": firing.feature in labels,
    }
