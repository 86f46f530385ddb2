"""The pictures and tables of a circuit of features."""

from collections.abc import Mapping, Sequence

from monosema.circuits.features.circuits import FeatureCircuit
from monosema.circuits.features.curves import Curve
from monosema.circuits.features.keeping import Kept
from monosema.circuits.features.nodes import FeatureEffects, FeatureNode
from monosema.circuits.features.studying import CircuitStudy
from monosema.core.exhibits import Curves, Heatmap, Line, Panel, Points, Scatter, Table
from monosema.core.findings import short

Notes = Mapping[FeatureNode, str]
"""What is known of some nodes, in a few words."""

FEATURES = "features"
BANDED = (FEATURES, "neurons")
"""Lines with their intervals drawn; they are not controls."""


def panels(found: CircuitStudy, texts: Sequence[str], notes: Notes) -> tuple[Panel, ...]:
    """All of them, in the order of the page. `texts`: the first clean prompt's tokens."""
    return (
        _curves(found, False, False),
        _curves(found, False, True),
        _curves(found, True, False),
        _curves(found, True, True),
        by_size(found),
        nodes(found, texts, notes),
        edges(found.circuit, found.config.top),
        *where(found.circuit.effects),
        against(found),
    )


SAYS = {
    "Faithfulness, features alone": "What is left of the model's answer when a circuit's nodes stay and all else, "
    "errors too, is at its mean: 1 is the model, 0 nothing kept.",
    "Faithfulness, errors among the nodes": "The same where a site's error at a position is a node too: a whole "
    "vector, which can carry anything. It says little of the features.",
    "Completeness, features alone": "What is left when the circuit's nodes are at their means and all other features "
    "stay: the smaller, the more of what matters is in it. A dictionary that keeps nothing leaves nothing either.",
    "Completeness, errors among the nodes": "What is left when the circuit's nodes are at their means and everything "
    "else stays, errors too.",
}
"""What each panel of curves shows."""


def _curves(found: CircuitStudy, errors: bool, left: bool) -> Curves:
    what = "Completeness" if left else "Faithfulness"
    title = f"{what}, {'errors among the nodes' if errors else 'features alone'}"
    lines = [
        _line(curve, left, found.config.seed)
        for curve in found.curves
        if curve.errors == errors or curve.name == "neurons"
    ]
    return Curves(title, SAYS[title], "nodes in the circuit", "share of the answer", tuple(lines), log_x=True)


def _line(curve: Curve, left: bool, seed: int) -> Line:
    group: tuple[Kept, ...] = curve.left if left else curve.kept
    y = tuple(one.share for one in group)
    if curve.name not in BANDED:
        return Line(curve.name, curve.sizes, y, role="control")
    spans = [one.interval(seed) for one in group]
    return Line(curve.name, curve.sizes, y, tuple(low for low, _ in spans), tuple(high for _, high in spans))


def by_size(found: CircuitStudy) -> Table:
    """The curves of features alone as numbers."""
    curves = [curve for curve in found.curves if not curve.errors]
    rows = []
    for size in found.curve(FEATURES).sizes:
        cells = []
        for curve in curves:
            at = curve.at(size)
            there = curve.sizes[at] == size
            cells += [_share(one[at]) if there else "" for one in (curve.kept, curve.left)]
        rows.append((f"{size:,}", *cells))
    headers = ("nodes", *(f"{curve.name}: {what}" for curve in curves for what in ("kept", "left")))
    says = "Features alone, held-out pairs. Kept: faithfulness. Left: what the answer keeps without the circuit."
    return Table("By size", says, headers, tuple(rows))


def _share(one: Kept) -> str:
    """To three decimals: what is left after that is rounding."""
    return short(round(one.share, 3) + 0.0)


def nodes(found: CircuitStudy, texts: Sequence[str], notes: Notes) -> Table:
    """The circuit's nodes with their effects."""
    rows = []
    for node, exact in zip(found.circuit.nodes, found.exact.mean(1).tolist(), strict=True):
        token = "" if node.position is None else repr(texts[node.position])
        values = (exact, found.circuit.effects.of(node), found.gradients.of(node))
        rows.append((str(node), token, *map(short, values), *([notes.get(node, "")] if notes else [])))
    headers = (
        "node",
        "token",
        "ablated",
        "integrated gradients",
        "one gradient",
        *(["what it tells"] if notes else []),
    )
    says = (
        f"By how much the {found.config.metric} falls when a node is moved to its baseline "
        f"({found.config.baseline}); mean over the pairs where the circuit was found. Tokens of the first prompt."
    )
    return Table("The circuit", says, headers, tuple(rows))


def edges(circuit: FeatureCircuit, shown: int) -> Table:
    """The strongest edges."""
    rows = tuple(
        (str(source), "the answer" if target is None else str(target), short(weight))
        for source, target, weight in circuit.strongest(shown)
    )
    says = "How much of the first node's effect, by one gradient, goes through the second, and through no site between."
    return Table("Edges", says, ("from", "to", "effect"), rows)


def where(effects: FeatureEffects) -> tuple[Heatmap, ...]:
    """The size of all effects at each site and position."""
    if not effects.positions or len(effects.parts) < 2:
        return ()
    rows = tuple(tuple(value.abs().sum(1).tolist()) for value in effects.values)
    high = max(max(row) for row in rows) or 1.0
    sites = ", ".join(f"{i} {part.writes}" for i, part in enumerate(effects.parts))
    says = f"The sizes of all effects, features and errors, added up. Sites: {sites}."
    x, y = tuple(range(effects.n_places)), tuple(range(len(effects.parts)))
    return (Heatmap("Where", says, "position", "site", x, y, rows, (), 0.0, high),)


def against(found: CircuitStudy) -> Scatter:
    """Estimates against what ablation does."""
    exact, names = tuple(found.exact.mean(1).tolist()), tuple(map(str, found.circuit.nodes))
    points = tuple(
        Points(name, exact, tuple(effects.of(node) for node in found.circuit.nodes), names)
        for name, effects in (("integrated gradients", found.circuit.effects), ("one gradient", found.gradients))
    )
    says = "The circuit's nodes by what moving each does and by what is estimated. On the diagonal the two agree."
    return Scatter("Estimates against ablation", says, "ablated", "estimate", points)
