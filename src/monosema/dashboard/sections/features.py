"""Features: for each dictionary a panel, for each feature a card with its contexts in concordance.

3.21        ...result = getattr(self, [name]), None) ...      argparse.py
activation                right-aligned, left-aligned: what fires stands in one column
"""

from collections.abc import Iterator
from dataclasses import dataclass

from monosema.dashboard.cells import Cell, cell, decimals_of
from monosema.dashboard.data import ReportData
from monosema.dashboard.numbers import count, percent, short
from monosema.dashboard.text import token, visible
from monosema.features.rows import Context, FeatureRow, FeatureSample, LogitEffect, Stratum, StudiedDictionary

LEVELS = 8
"""Shades of an activation; level i is (i - 1, i] eighths of the feature's largest."""


@dataclass(frozen=True)
class Piece:
    """A stretch of text. `level` 0: nothing fires; above: how strongly, of LEVELS. `kind`: 'on', 'off', or
    'none' where no activation is computed. `chosen`: the token that the window was chosen for."""

    text: str
    kind: str
    level: int = 0
    activation: str = ""
    ids: str = ""
    chosen: bool = False


@dataclass(frozen=True)
class Line:
    """A context: what stands left of the chosen token, and the rest."""

    activation: str
    left: tuple[Piece, ...]
    rest: tuple[Piece, ...]
    document: str
    where: str


@dataclass(frozen=True)
class ContextGroup:
    """Contexts of one kind; `note` says what they are, or why there are none."""

    title: str
    note: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Effect:
    """A token and what the feature adds to its logit; `share` of the largest shown, in percent."""

    text: str
    id: int
    effect: str
    share: int


@dataclass(frozen=True)
class Card:
    """One feature."""

    key: str
    feature: int
    frequency: str
    n_active: str
    mean: str
    maximum: str
    top_token: str
    top_share: str
    rule: str
    rule_token: str
    f1: str
    promoted: tuple[Effect, ...]
    suppressed: tuple[Effect, ...]
    groups: tuple[ContextGroup, ...]


@dataclass(frozen=True)
class Band:
    """Features of one decade of frequency."""

    title: str
    shown: str
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class SampleView:
    """A dictionary's sample, or its control's."""

    what: str
    fingerprint: str
    sites: str
    n_tokens: str
    n_documents: str
    n_features: str
    n_dead: str
    no_logits: str
    bands: tuple[Band, ...]


@dataclass(frozen=True)
class Panel:
    """One dictionary: its sample, its control's, and what the two say."""

    key: str
    name: str
    findings: tuple[tuple[str, Cell], ...]
    sample: SampleView
    control: SampleView | None
    control_is: str


FINDINGS = {
    "foretells": "Rank of the next token among a feature's own logits, above its rank everywhere (0 is chance)",
    "token_f1": "F1 of the nearest single-token rule, mean over features",
}


def view(data: ReportData) -> tuple[Panel, ...] | None:
    """A panel for each dictionary; None when the run has no features yet."""
    if data.features is None or not data.features.dictionaries:
        return None
    return tuple(_panel(i, studied) for i, studied in enumerate(data.features.dictionaries))


def _panel(i: int, studied: StudiedDictionary) -> Panel:
    key = f"d{i}"
    decimals = decimals_of(studied.findings)
    return Panel(
        key=key,
        name=studied.name,
        findings=tuple((FINDINGS.get(f.name, f.name), cell(f, decimals)) for f in studied.findings),
        sample=_sample(key, "trained", studied.sample),
        control=None if studied.control is None else _sample(f"{key}c", "control", studied.control),
        control_is=studied.control_is,
    )


def _sample(key: str, what: str, sample: FeatureSample) -> SampleView:
    reads, writes = ", ".join(sample.reads), ", ".join(sample.writes)
    return SampleView(
        what=what,
        fingerprint=sample.fingerprint,
        sites=reads if reads == writes else f"{reads} → {writes}",
        n_tokens=count(sample.n_tokens),
        n_documents=count(sample.n_documents),
        n_features=count(sample.n_features),
        n_dead=count(sample.n_dead),
        no_logits=sample.no_logits,
        bands=tuple(_band(key, stratum, sample) for stratum in sample.strata if stratum.n_shown),
    )


def _band(key: str, stratum: Stratum, sample: FeatureSample) -> Band:
    top = stratum.high >= 1
    inside = [f for f in sample.features if stratum.low <= f.frequency and (top or f.frequency < stratum.high)]
    return Band(
        title=f"{percent(stratum.low)} to {percent(stratum.high)} of tokens",
        shown=f"{count(stratum.n_shown)} of {count(stratum.n_features)} features",
        cards=tuple(_card(key, feature) for feature in inside),
    )


def _card(key: str, f: FeatureRow) -> Card:
    effects = [e.effect for e in (*f.logits.top, *f.logits.bottom)] if f.logits else []
    largest = max([abs(effect) for effect in effects], default=0.0) or 1.0
    return Card(
        key=f"{key}-f{f.feature}",
        feature=f.feature,
        frequency=percent(f.frequency),
        n_active=count(f.n_active),
        mean=short(f.mean_activation),
        maximum=short(f.max_activation),
        top_token=token(f.top_token.text, f.top_token.id),
        top_share=percent(f.top_token.share),
        rule="" if f.detector is None else f.detector.pattern,
        rule_token="" if f.detector is None else token(f.detector.text, f.detector.id),
        f1="" if f.detector is None else f"{f.detector.f1:.2f}",
        promoted=tuple(_effect(e, largest) for e in (f.logits.top if f.logits else ())),
        suppressed=tuple(_effect(e, largest) for e in (f.logits.bottom if f.logits else ())),
        groups=_groups(f),
    )


def _effect(effect: LogitEffect, largest: float) -> Effect:
    return Effect(
        token(effect.text, effect.id), effect.id, short(effect.effect), round(100 * abs(effect.effect) / largest)
    )


def _groups(f: FeatureRow) -> tuple[ContextGroup, ...]:
    none = "" if f.inactive else "the feature leaves no window of this width without a firing"
    return (
        ContextGroup("Strongest", "one a document", _lines(f.top, f.max_activation)),
        ContextGroup("Random firings", "drawn evenly from all of them", _lines(f.active, f.max_activation)),
        ContextGroup(
            "Random silence", none or "no firing anywhere in the window", _lines(f.inactive, f.max_activation)
        ),
    )


def _lines(contexts: tuple[Context, ...], maximum: float) -> tuple[Line, ...]:
    return tuple(_line(context, maximum) for context in contexts)


def _line(context: Context, maximum: float) -> Line:
    left, rest = [], []
    for first, stop in _characters(context.texts):
        piece = _piece(context, first, stop, maximum)
        (left if stop <= context.at else rest).append(piece)
    return Line(
        activation=short(context.activations[context.at] or 0.0),
        left=_joined(left),
        rest=_joined(rest),
        document=visible(context.document),
        where=f"block {count(context.block)}, position {count(context.position)}",
    )


def _characters(texts: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """Stretches of tokens that make whole characters: an empty text belongs to the next that is not."""
    first = 0
    for i, text in enumerate(texts):
        if text or i + 1 == len(texts):
            yield first, i + 1
            first = i + 1


def _piece(context: Context, first: int, stop: int, maximum: float) -> Piece:
    values = [value for value in context.activations[first:stop] if value is not None]
    strongest = max(values, default=0.0)
    text = visible("".join(context.texts[first:stop])) or "⟨…⟩"
    chosen = first <= context.at < stop
    if not values:
        return Piece(text, "none", chosen=chosen)
    if strongest <= 0:
        return Piece(text, "off", chosen=chosen)
    level = min(LEVELS, max(1, -int(-LEVELS * strongest // maximum))) if maximum > 0 else 1
    return Piece(text, "on", level, short(strongest), " ".join(map(str, context.ids[first:stop])), chosen)


def _joined(pieces: list[Piece]) -> tuple[Piece, ...]:
    """The pieces, with neighbours that show nothing of their own put together."""
    joined: list[Piece] = []
    for piece in pieces:
        if joined and piece.kind == joined[-1].kind == "off" and not piece.chosen and not joined[-1].chosen:
            joined[-1] = Piece(joined[-1].text + piece.text, "off")
        else:
            joined.append(piece)
    return tuple(joined)
