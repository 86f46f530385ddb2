"""How the browser writes the quantities of a feature."""

from dataclasses import dataclass

from monosema.dashboard.numbers import UNDEFINED, count, fixed, percent, short, signed
from monosema.dashboard.text import token
from monosema.features.browse.columns import COLUMNS, Column
from monosema.features.browse.rows import FeatureRow

ABSENT = "\u2013"
"""Stands where a number was not measured or is not defined."""


@dataclass(frozen=True)
class Amount:
    """A number with its error and where it comes from: '+12.3', '1.5', 'attr'."""

    value: str
    error: str
    how: str


def small(value: float | None, *, sign: bool = True) -> str:
    """Thousandths of a nat, three significant digits: '+12.3'."""
    if value is None:
        return ABSENT
    text = short(1000 * value)
    return f"+{text}" if sign and value > 0 and text != UNDEFINED else text


def importance(row: FeatureRow) -> Amount:
    """The importance that is shown first, in thousandths of a nat a token."""
    if row.importance is None:
        return Amount(ABSENT, "", "")
    value = small(row.importance)
    decimals = len(value.partition(".")[2]) if "e" not in value else 1
    error = "" if row.importance_se is None else fixed(1000 * row.importance_se, decimals)
    return Amount(value, error, row.importance_is)


def written(column: Column, value: float | None) -> str:
    """A column's value."""
    if value is None:
        return ABSENT
    if column.name == "feature":
        return str(int(value))
    if column.name.startswith("importance") or column.name in ("random_total", "given_fires"):
        return small(value, sign=not column.name.endswith("_se"))
    if column.write == "count":
        return count(int(value))
    if column.write == "share":
        return percent(value)
    if column.write.endswith("two places"):
        return (signed if column.write.startswith("signed") else fixed)(value, 2)
    text = short(value)
    return f"+{text}" if column.write == "signed" and value > 0 else text


def value_of(row: FeatureRow, column: str) -> float | None:
    """A feature's value of a column, by name."""
    return {name: getattr(row, name) for name in COLUMNS}[column]


def top_token(row: FeatureRow) -> str:
    """The token on which it fires most often, as it can be seen."""
    return "" if row.top_token is None or row.is_dead else token(row.top_text, row.top_token)


def state(row: FeatureRow) -> str:
    """What must be said of a feature before anything else; '' when nothing must."""
    if row.is_dead:
        return "dead"
    if row.is_dense:
        return "dense"
    return "ultra-rare" if row.is_rare else ""


def state_in_words(row: FeatureRow, n_tokens: int) -> str:
    """The same as a sentence."""
    if row.is_dead:
        return (
            f"This feature is dead: it fired on none of the {count(n_tokens)} tokens of the table. "
            "There are no examples, and nothing is known of what it would do."
        )
    if row.is_dense:
        return (
            f"This feature is dense: it fires on {percent(row.frequency)} of all tokens, more than a tenth. "
            "Its strongest examples say little about what it does elsewhere; look at the random ones."
        )
    if row.is_rare:
        fired = f"{count(row.n_active)} of {count(n_tokens)} tokens"
        return f"This feature is ultra-rare: it fired on {fired}, so its numbers are those of a handful of places."
    return ""
