"""The pictures and tables of patching."""

from collections.abc import Sequence

from monosema.circuits.patch.effects import Effects
from monosema.circuits.patch.places import Patch
from monosema.circuits.patch.studying import Kind, PatchStudy
from monosema.core.exhibits import Heatmap, Panel, Points, Scatter, Table
from monosema.core.findings import short
from monosema.core.sites import parse

Texts = tuple[Sequence[str], Sequence[str]]
"""Token by token, the first clean prompt and the first corrupted one."""


def panels(found: PatchStudy, texts: Texts) -> tuple[Panel, ...]:
    """All of them, in the order of the page."""
    maps = [heatmap(kind, found) for kind in found.kinds if kind.patches[0].feature is None]
    return (*maps, prompts(texts), strongest(found), *paths(found), against(found), worst(found))


def heatmap(kind: Kind, found: PatchStudy) -> Heatmap:
    """A cell for every place of a kind: layer by position, or layer by head."""
    by_head = kind.patches[0].head is not None
    x = sorted({_across(patch) for patch in kind.patches})
    y = sorted({parse(patch.site).layer or 0 for patch in kind.patches})
    share = dict(zip(kind.patches, kind.exact.share.tolist(), strict=True))
    cells = {(parse(patch.site).layer or 0, _across(patch)): value for patch, value in share.items()}
    rows = tuple(tuple(cells[layer, at] for at in x) for layer in y)
    low, high = min(0.0, *share.values()), max(1.0, *share.values())
    says = f"Effect of patching each on the {found.config.metric}: 0 as the corrupted prompt, 1 as the clean one."
    return Heatmap(kind.name, says, "head" if by_head else "position", "layer", tuple(x), tuple(y), rows, (), low, high)


def _across(patch: Patch) -> int:
    return (patch.position if patch.head is None else patch.head) or 0


def prompts(texts: Texts) -> Table:
    """The first pair, token by token."""
    rows = tuple(
        (str(i), repr(a), repr(b), "" if a == b else "differs") for i, (a, b) in enumerate(zip(*texts, strict=True))
    )
    headers = ("position", "clean", "corrupted", "")
    return Table("The prompts", "Positions as the maps count them; the first pair, if there are more.", headers, rows)


def strongest(found: PatchStudy) -> Table:
    """The places with the largest effects, kind by kind."""
    rows = []
    for kind in found.kinds:
        for i in kind.order[: found.config.shown]:
            values = (kind.exact.share[i], kind.estimated.share[i], kind.unrelated.share[i])
            rows.append((str(kind.patches[i]), *(short(float(v)) for v in values)))
    headers = ("place", "effect", "estimated by gradients", "from an unrelated prompt")
    return Table("Strongest places", "Places by the size of their effect, a kind at a time.", headers, tuple(rows))


def paths(found: PatchStudy) -> tuple[Table, ...]:
    """Who reads what the strongest head writes, and where the strongest reader takes it."""
    if found.ways is None:
        return ()
    ways, headers, n = found.ways, ("reader", "effect", "from an unrelated prompt"), found.config.shown
    rows = _rows(ways.readers, ways.readers_unrelated, n, last="all of them together")
    says = f"The effect of {ways.sender} when only one reader sees what it writes; all together is patching it."
    tables = [Table(f"Who reads {ways.sender}", says, headers, rows)]
    if ways.onward is not None and ways.onward_unrelated is not None:
        says = (
            f"The effect when only {ways.reader} sees what {ways.sender} writes, and only one reader what it then does."
        )
        rows = _rows(ways.onward, ways.onward_unrelated, n)
        tables.append(Table(f"And on from {ways.reader}", says, ("path", *headers[1:]), rows))
    return tuple(tables)


def _rows(own: Effects, other: Effects, n: int, last: str = "") -> tuple[tuple[str, str, str], ...]:
    """The `n` largest effects; where `last` is given, the last row under that name, whatever its size."""
    share, beside, names = own.share.tolist(), other.share.tolist(), own.names
    count = len(share) - bool(last)
    order = sorted(range(count), key=lambda i: -abs(share[i]))[:n]
    rows = [(names[i], short(share[i]), short(beside[i])) for i in order]
    return (*rows, (last, short(share[-1]), short(beside[-1]))) if last else tuple(rows)


def against(found: PatchStudy) -> Scatter:
    """Estimates against effects."""
    points = tuple(
        Points(kind.name, tuple(kind.exact.share.tolist()), tuple(kind.estimated.share.tolist()), kind.exact.names)
        for kind in found.kinds
    )
    says = "Each place by its effect and by what attribution patching says it is. On the diagonal the two agree."
    return Scatter("Attribution patching against patching", says, "effect", "estimate", points)


def worst(found: PatchStudy) -> Table:
    """Where attribution patching is most wrong."""
    rows = tuple(
        (name, short(exact), short(estimate), short(estimate - exact))
        for name, exact, estimate in found.agreement.worst
    )
    headers = ("place", "effect", "estimate", "error")
    return Table("Where attribution patching is most wrong", "The largest errors of the estimate.", headers, rows)
