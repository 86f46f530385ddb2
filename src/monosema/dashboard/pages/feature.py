"""One feature: what it fires on, what it does, and how sure that is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from monosema.dashboard.charts import bars
from monosema.dashboard.facts import effects, histogram, stats, tokens
from monosema.dashboard.library import Place
from monosema.dashboard.measures import ABSENT, state, state_in_words, top_token
from monosema.dashboard.numbers import fixed, percent, short, signed
from monosema.dashboard.pages.asking import Asked, address
from monosema.dashboard.windows import line_groups
from monosema.features.browse.explained import FLOOR
from monosema.features.browse.query import Query
from monosema.features.browse.rows import ExampleGroup, Explanation, ExplanationScore, FeatureDetail, Neighbour
from monosema.features.labels import Label

SCORES = {
    "detection": "detection",
    "detection_auc": "detection, AUC",
    "fuzzing": "fuzzing",
    "intruder": "intruder (1 in 5)",
    "simulation": "simulation, r",
    "embedding": "embedding, AUC",
}
KINDS = {
    "decoder": "Decoder cosine",
    "encoder": "Encoder cosine",
    "coactivation": "Fires together",
    "logit": "Logit cosine",
}


@dataclass(frozen=True)
class OneFeature:
    """A feature with its examples, what people say of it, and who stands beside it in the list it came from."""

    detail: FeatureDetail
    groups: tuple[ExampleGroup, ...]
    explanations: tuple[Explanation, ...]
    labels: tuple[Label, ...]
    lists: tuple[str, ...]
    previous: int | None
    following: int | None


def rows(asked: Asked) -> OneFeature:
    """The feature that the address ends in; its query is that of the list it was opened from."""
    place, number = asked.place, asked.number
    query, found = Query.from_pairs(asked.given), alone(place, number)
    order = place.table.matching(query, place.current())
    at = order.index(number) if number in order else None
    following = order[at + 1] if at is not None and at + 1 < len(order) else None
    return replace(found, previous=order[at - 1] if at else None, following=following)


def alone(place: Place, number: int) -> OneFeature:
    """The feature without those beside it in a list."""
    lists = place.labels.lists(place.dictionary)
    return OneFeature(
        detail=place.table.feature(number),
        groups=place.table.examples(number),
        explanations=place.table.explanations(number),
        labels=place.labels.of_feature(place.dictionary, place.table.manifest.dictionary_fingerprint, number),
        lists=tuple(name for name, members in lists.items() if number in members),
        previous=None,
        following=None,
    )


def view(found: OneFeature, asked: Asked) -> Mapping[str, Any]:
    """The feature as the template shows it."""
    row, place, manifest = found.detail.row, asked.place, asked.place.table.manifest
    back = Query.from_pairs(asked.given).to_url()

    def to(number: int | None) -> str:
        return "" if number is None else f"{address(place, f'feature/{number}')}{'?' * bool(back)}{back}"

    return {
        "row": row,
        "state": state(row),
        "state_in_words": state_in_words(row, manifest.n_tokens),
        "label": next((label.label for label in found.labels if label.label), ""),
        "labels": found.labels,
        "lists": found.lists,
        "top_token": top_token(row),
        "top_share": percent(row.top_token_share or 0.0),
        "stats": stats(row),
        "effects": effects(row, manifest.effects),
        "groups": line_groups(found.groups, row.max_act),
        "explanations": [_explanation(one) for one in found.explanations],
        "explained_beside": place.table.explained.control_is if place.table.explained else "",
        "examples_missing": not place.table.has("examples"),
        "no_effects": not place.table.has("effects"),
        "document": lambda line: address(place, f"document/{line.document}", at=line.pos, feature=row.feature),
        "acts": histogram(found.detail.acts, f"activations from {short(row.mean_act or 0.0)} on average"),
        "positions": None
        if row.is_dead or not found.detail.by_position
        else bars(found.detail.by_position, 236, 34, "firings by position in the block"),
        "logits": histogram(found.detail.logits, "logit effects of all tokens"),
        "promoted": tokens(found.detail.top_logits),
        "suppressed": tokens(found.detail.bottom_logits),
        "neighbours": _neighbours(asked, found.detail.neighbours),
        "previous": to(found.previous),
        "following": to(found.following),
        "list_url": f"{address(place, 'features')}{'?' * bool(back)}{back}",
        "post": address(place, f"feature/{row.feature}/label"),
        "back": back,
    }


def _explanation(one: Explanation) -> dict[str, Any]:
    """What an explainer says, and a row for each score."""
    is_floor = one.explainer == FLOOR
    return {
        "explainer": one.explainer,
        "note": "the floor" if is_floor else "",
        "text": one.text,
        "failed": one.failed,
        "scores": [_score(score, is_floor=is_floor) for score in one.scores],
    }


def _score(score: ExplanationScore, *, is_floor: bool) -> dict[str, str]:
    """A score in words; a failed one says so in place of its number."""
    beats = score.margin_low is not None and score.margin_low > 0
    return {
        "name": SCORES.get(score.name, score.name),
        "value": score.state if score.value is None else fixed(score.value, 2),
        "why": score.reason,
        "interval": _between(score.low, score.high, fixed),
        "margin": "" if is_floor else ABSENT if score.margin is None else signed(score.margin, 2),
        "margin_interval": _between(score.margin_low, score.margin_high, signed),
        "verdict": "beats the floor" if beats else "",
        "shuffled": ABSENT if score.shuffled is None else fixed(score.shuffled, 2),
        "control": ABSENT if score.control is None else fixed(score.control, 2),
    }


def _between(low: float | None, high: float | None, write: Callable[[float, int], str]) -> str:
    return "" if low is None or high is None else f"{write(low, 2)} .. {write(high, 2)}"


def _neighbours(asked: Asked, found: tuple[Neighbour, ...]) -> list[dict[str, Any]]:
    """Groups of neighbours; a link where the other dictionary is one of this run's."""
    here = {dictionary for run, dictionary in asked.library.names() if run == asked.place.run}
    labels = asked.place.current()
    grouped: dict[tuple[str, str], list[dict[str, str]]] = {}
    for near in found:
        known = not near.dictionary or near.dictionary in here
        place = (
            asked.place
            if not near.dictionary
            else asked.library.place(asked.place.run, near.dictionary)
            if known
            else None
        )
        own = labels.get(near.feature, "") if not near.dictionary else ""
        grouped.setdefault((near.dictionary, near.kind), []).append(
            {
                "feature": str(near.feature),
                "url": address(place, f"feature/{near.feature}") if place else "",
                "value": f"{near.value:.2f}",
                "says": own or near.floor_text,
            }
        )
    return [
        {"title": KINDS.get(kind, kind), "of": dictionary, "members": members}
        for (dictionary, kind), members in grouped.items()
    ]
