"""Examples as lines of marked text: right-aligned before the chosen token, left-aligned from it on.

A shade is an activation, of LEVELS up to the feature's largest; a line under a token is what removing the
feature does to the loss on it: solid where the feature helps, dashed where it hurts, in three widths.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from monosema.dashboard.measures import small
from monosema.dashboard.numbers import percent, short
from monosema.dashboard.text import token, visible
from monosema.features.browse.rows import Changed, Example, ExampleGroup

LEVELS = 8
BINS = ("interval", "quantile")
"""The groups that stand for firings between two activations."""

WIDTHS = (0.08, 0.3, 0.65)
"""From which share of the feature's largest effect a line under a token has its first, second, third width."""

TITLES = {
    "top": ("Strongest", "one a document"),
    "interval": ("Interval", "equal widths of activation"),
    "quantile": ("Quantile", "equal numbers of firing tokens"),
    "random active": ("Random firings", "drawn evenly from all of them"),
    "random inactive": ("Random silence", "no firing anywhere in the window"),
    "most helpful": ("Most helpful", "by gradient, removing the feature raises the loss most"),
    "most harmful": ("Most harmful", "by gradient, removing the feature lowers the loss most"),
}


@dataclass(frozen=True)
class Piece:
    """A stretch of text with one set of marks; `css` names them, the rest is what hover and focus say."""

    text: str
    css: str = ""
    act: str = ""
    total: str = ""
    direct: str = ""
    ids: str = ""


@dataclass(frozen=True)
class Line:
    """One example."""

    act: str
    left: tuple[Piece, ...]
    rest: tuple[Piece, ...]
    document: int
    name: str
    pos: int
    probability: str
    up: str
    down: str


@dataclass(frozen=True)
class LineGroup:
    """Examples of one kind."""

    key: str
    title: str
    note: str
    lines: tuple[Line, ...]


def line_groups(groups: Sequence[ExampleGroup], largest: float) -> tuple[LineGroup, ...]:
    """The groups in their order; `largest` is the feature's largest activation."""
    scale = largest_effect(groups)
    return tuple(_group(group, largest, scale) for group in groups)


def largest_effect(groups: Sequence[ExampleGroup]) -> float:
    """The largest total effect on any token of the examples."""
    effects = (example.effect for group in groups for example in group.examples if example.effect)
    return max((abs(value) for effect in effects for value in effect.total if value is not None), default=0.0)


def heading(group: ExampleGroup) -> tuple[str, str]:
    """Title and note of a group."""
    title, note = TITLES.get(group.name, (group.name, ""))
    if group.name in BINS and group.low is not None and group.high is not None:
        title = f"{title} {short(group.low)} to {short(group.high)}"
        shares = ((group.share, "of firing tokens"), (group.mass, "of activation"))
        note = ", ".join(f"{percent(value)} {what}" for value, what in shares if value is not None)
    return title, note


def _group(group: ExampleGroup, largest: float, scale: float) -> LineGroup:
    title, note = heading(group)
    return LineGroup(group.name, title, note, tuple(line(example, largest, scale) for example in group.examples))


def line(example: Example, largest: float, scale: float) -> Line:
    """One example; `scale` is the largest effect on any token."""
    left: list[Piece] = []
    rest: list[Piece] = []
    for first, stop in characters(example.texts):
        (left if stop <= example.at else rest).append(_piece(example, first, stop, largest, scale))
    effect = example.effect
    known = effect is not None and effect.p_with is not None and effect.p_without is not None
    return Line(
        act=short(example.act) if example.act else "0",
        left=_joined(left),
        rest=_joined(rest),
        document=example.document,
        name=visible(example.name),
        pos=example.pos,
        probability=f"{percent(effect.p_with or 0.0)} → {percent(effect.p_without or 0.0)}" if effect and known else "",
        up=_changed(effect.up) if effect else "",
        down=_changed(effect.down) if effect else "",
    )


def _changed(tokens: Sequence[Changed]) -> str:
    return " ".join(f"{token(change.text, change.token)} {short(change.delta)}" for change in tokens)


def characters(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Stretches of tokens that make whole characters: an empty text belongs to the next that is not."""
    first = 0
    for i, text in enumerate(texts):
        if text or i + 1 == len(texts):
            yield first, i + 1
            first = i + 1


def _piece(example: Example, first: int, stop: int, largest: float, scale: float) -> Piece:
    act = max(example.acts[first:stop], default=0.0)
    total = _sum(example.effect.total[first:stop]) if example.effect else None
    direct = _sum(example.effect.direct[first:stop]) if example.effect else None
    chosen = first <= example.at < stop
    css = [f"a{level(act, largest)}"] if act > 0 else []
    css += [f"t{width(total, scale)}"] if width(total, scale) else []
    css += [f"d{width(direct, scale)}"] if width(direct, scale) else []
    css += ["chosen"] if chosen else []
    text = visible("".join(example.texts[first:stop])) or "⟨…⟩"
    if not css:
        return Piece(text)
    return Piece(
        text=text,
        css=" ".join(css),
        act=short(act) if act > 0 else "0",
        total="" if total is None else small(total),
        direct="" if direct is None else small(direct),
        ids=" ".join(map(str, example.ids[first:stop])),
    )


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def level(act: float, largest: float) -> int:
    """The shade of an activation: 1 to LEVELS, in equal steps up to the feature's largest."""
    return min(LEVELS, max(1, -int(-LEVELS * act // largest))) if largest > 0 else 1


def width(effect: float | None, scale: float) -> str:
    """'h2': helps, second width; 'x1': hurts, first width; '' when too small to draw."""
    if effect is None or scale <= 0:
        return ""
    width = sum(abs(effect) >= share * scale for share in WIDTHS)
    return f"{'h' if effect > 0 else 'x'}{width}" if width else ""


def _joined(pieces: list[Piece]) -> tuple[Piece, ...]:
    """The pieces, with neighbours that carry no mark put together."""
    joined: list[Piece] = []
    for piece in pieces:
        if joined and not piece.css and not joined[-1].css:
            joined[-1] = Piece(joined[-1].text + piece.text)
        else:
            joined.append(piece)
    return tuple(joined)
