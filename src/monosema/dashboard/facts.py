"""The facts of one feature in words and numbers, for its page, its card and its exports."""

from collections.abc import Mapping
from typing import Any

from monosema.dashboard.charts import bars
from monosema.dashboard.measures import ABSENT, small
from monosema.dashboard.numbers import count, percent, short
from monosema.dashboard.text import token
from monosema.features.browse.rows import FeatureRow, Histogram, LogitEffect


def stats(row: FeatureRow) -> list[tuple[str, str, str]]:
    """Heading, value, what it is of."""
    if row.is_dead:
        return [
            ("fires on", "0", "tokens"),
            ("encoder norm", _short(row.enc_norm), ""),
            ("decoder norm", _short(row.dec_norm), ""),
        ]
    return [
        ("fires on", percent(row.frequency), f"{count(row.n_active)} tokens, {count(row.n_documents)} documents"),
        ("activation", _short(row.mean_act), f"mean; largest {short(row.max_act)}"),
        ("n-grams explain", _short(row.floor_r), f"r held out; F1 {_short(row.floor_f1)}"),
        ("foretells", _short(row.foretells), "0 is chance"),
        (
            "nearest cosine",
            _short(row.neighbour_cosine),
            f"feature {row.neighbour}" if row.neighbour is not None else "",
        ),
        ("encoder · decoder", _short(row.enc_dec_cosine), f"norms {_short(row.enc_norm)}, {_short(row.dec_norm)}"),
    ]


def effects(row: FeatureRow, missing: Mapping[str, str]) -> list[dict[str, str]]:
    """Importance in its three senses, each with its error or the reason why it is not there."""
    control = f"a random direction of equal norm gives {small(row.random_total)}"
    measured = f"measured on {count(row.n_total_documents)} documents; {control}"
    rows = [
        ("total", "Total", row.importance_total, row.importance_total_se, measured),
        ("attr", "By gradient", row.importance_attr, row.importance_attr_se, "first order, of every feature"),
        ("direct", "Direct path", row.importance_direct, row.importance_direct_se, "past the later layers"),
    ]
    shown = []
    for key, name, value, error, note in rows:
        why = "dead: nothing to measure" if row.is_dead else missing.get(key) or "not measured for this feature"
        shown.append(
            {
                "key": key,
                "name": name,
                "value": small(value),
                "error": "" if error is None else short(1000 * error),
                "note": note if value is not None else why,
                "css": "" if value is None else "helps" if value > 0 else "hurts",
            }
        )
    return shown


def histogram(found: Histogram | None, says: str) -> dict[str, Any] | None:
    """A histogram with its ends; None where nothing is counted."""
    if found is None or not sum(found.counts):
        return None
    low, high = short(found.low), short(found.high)
    return {"bars": bars(found.counts, 236, 46, f"{says}, from {low} to {high}"), "low": low, "high": high}


def tokens(found: tuple[LogitEffect, ...]) -> list[dict[str, Any]]:
    """Tokens with what the feature adds to their logits, and its share of the largest shown, in percent."""
    largest = max((abs(e.effect) for e in found), default=0.0) or 1.0
    return [
        {
            "text": token(e.text, e.token),
            "id": e.token,
            "effect": short(e.effect),
            "share": round(100 * abs(e.effect) / largest),
        }
        for e in found
    ]


def _short(value: float | None) -> str:
    return ABSENT if value is None else short(value)
