"""Reviewing: one feature after another, rated from 1 to 5, without seeing what others said."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from monosema.dashboard.numbers import count, short
from monosema.dashboard.pages.asking import Asked, address
from monosema.dashboard.pages.feature import OneFeature, alone
from monosema.dashboard.pages.feature import view as feature_view
from monosema.features.browse.query import Query
from monosema.features.labels import Agreement

RATINGS = ("nothing to see", "hardly anything", "several things", "mostly one thing", "clearly one thing")
"""What 1 to 5 mean."""

OPEN = ("random active", "top", "quantile", "random inactive")
"""The groups that are shown in the queue: the effects on the loss would tell what the feature is for."""


@dataclass(frozen=True)
class Review:
    """The next feature of the queue that this rater has not rated; None when there is none left."""

    rater: str
    blind: bool
    feature: OneFeature | None
    n_done: int
    n_queue: int
    agreement: Agreement


def rows(asked: Asked) -> Review:
    """The queue is the list that the address asks for, dead features left out, less what the rater has rated."""
    own = {key: asked.given[key] for key in ("rater", "blind", "skip") if key in asked.given}
    query = Query.from_pairs({key: value for key, value in asked.given.items() if key not in own})
    rater, blind = own.get("rater", ""), own.get("blind", "yes") != "no"
    place, fingerprint = asked.place, asked.place.table.manifest.dictionary_fingerprint
    labels = place.labels.latest(place.dictionary, fingerprint)
    rated = {label.feature for label in labels if label.rater == rater and label.rating is not None}
    alive = replace(query, kind="alive") if query.kind == "all" else query
    queue = [] if query.kind == "dead" else place.table.matching(alive, place.current())
    skipped = int(own["skip"]) if own.get("skip", "").isdigit() else 0
    left = [f for f in queue if f not in rated]
    shown = None
    if rater and left:
        number = left[min(skipped, len(left) - 1)]
        shown = alone(place, number)
    done = len(queue) - len(left)
    return Review(rater, blind, shown, done, len(queue), place.labels.agreement(place.dictionary, fingerprint))


def view(found: Review, asked: Asked) -> Mapping[str, Any]:
    """The feature without what would give it away, and the five answers."""
    given = {key: value for key, value in asked.given.items() if key not in ("skip", "rater", "blind")}
    skip = int(asked.given["skip"]) if asked.given.get("skip", "").isdigit() else 0
    blind = "" if found.blind else "no"
    feature: Mapping[str, Any] = {}
    if found.feature is not None:
        inner = Asked(asked.library, {}, asked.place, found.feature.detail.row.feature)
        feature = feature_view(found.feature, inner)
    agreement = found.agreement
    return {
        "found": found,
        "f": feature,
        "groups": [group for key in OPEN for group in feature.get("groups", ()) if group.key == key],
        "ratings": RATINGS,
        "given": given,
        "n_done": count(found.n_done),
        "n_queue": count(found.n_queue),
        "skip": address(asked.place, "review", **given, rater=found.rater, blind=blind, skip=skip + 1),
        "other_mode": address(asked.place, "review", **given, rater=found.rater, blind="no" if found.blind else ""),
        "here": address(asked.place, "review", **given, rater=found.rater, blind=blind, skip=skip or ""),
        "alpha": "" if agreement.alpha is None else short(agreement.alpha),
        "exact": "" if agreement.exact is None else f"{agreement.exact:.0%}",
    }
