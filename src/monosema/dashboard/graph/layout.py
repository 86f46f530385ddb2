"""Where everything of a graph stands: tokens from left to right, layers from the bottom up, logits on top.

A cell is a layer at a token; its nodes stand in rows of at most `ACROSS`, the most influential first; logits, the
likeliest first, in rows of `ABREAST`, each with its text beside it. A column is as wide as its fullest cell needs, a
band as high. The biases, which have no token, stand left of the first.
"""

from collections import defaultdict
from dataclasses import dataclass

from monosema.dashboard.graph.values import EdgeValues, GraphValues, NodeValues
from monosema.dashboard.text import token, visible

ACROSS, ABREAST, STEP, MARGIN, LEFT, LETTER = 6, 2, 17, 22, 74, 6.6
ROOMY, WIDER = 760, 60

SHAPES = {
    "feature": "M-5.5,0A5.5,5.5 0 1 0 5.5,0A5.5,5.5 0 1 0 -5.5,0Z",
    "error": "M0,-6.5L6.5,0L0,6.5L-6.5,0Z",
    "token": "M-5.5,-5.5H5.5V5.5H-5.5Z",
    "position": "M-6,5L0,-6L6,5Z",
    "bias": "M-6,-5L0,6L6,-5Z",
    "logit": "M0,-6.8L5.9,-3.4V3.4L0,6.8L-5.9,3.4V-3.4Z",
}
"""By kind, the outline of a mark around (0, 0)."""

WORDS = {
    "feature": "feature",
    "error": "error: what transcoders leave",
    "token": "token",
    "position": "position",
    "bias": "biases",
    "logit": "logit",
}


@dataclass(frozen=True)
class Mark:
    """A node with its place; `says` is all of it in words."""

    number: int
    node: NodeValues
    x: float
    y: float
    shape: str
    says: str


@dataclass(frozen=True)
class Line:
    """An edge as a path; `width` is its class, 0 to 4."""

    edge: EdgeValues
    d: str
    width: int


@dataclass(frozen=True)
class Label:
    """Text at a place; `full` is all of it where it was cut, `base` where the band that it names ends."""

    x: float
    y: float
    text: str
    full: str = ""
    base: float = 0.0


@dataclass(frozen=True)
class Drawing:
    """All of it. `marks` go through a token's column from the bottom up, then to the next. `left`: where columns
    begin."""

    width: float
    height: float
    marks: tuple[Mark, ...]
    lines: tuple[Line, ...]
    layers: tuple[Label, ...]
    tokens: tuple[Label, ...]
    logits: tuple[Label, ...]
    left: float = LEFT


def drawn(values: GraphValues) -> Drawing:
    """The drawing of a graph."""
    cells: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i in sorted(range(len(values.nodes)), key=lambda i: _rank(values.nodes[i])):
        cells[values.nodes[i].token, values.nodes[i].layer].append(i)
    lefts, width = _columns(values, cells)
    tops, height = _bands(values, cells)
    places: dict[int, tuple[float, float]] = {}
    for (column, layer), members in cells.items():
        across, step = (ABREAST, _abreast(values)) if layer == values.n_layers else (ACROSS, STEP)
        for k, i in enumerate(members):
            x = lefts[column] + MARGIN / 2 + STEP / 2 + step * (k % across)
            places[i] = round(x, 1), round(tops[layer] + STEP / 2 + 6 + STEP * (k // across), 1)
    order = sorted(places, key=lambda i: (values.nodes[i].token, values.nodes[i].layer, places[i]))
    marks = tuple(
        Mark(i, values.nodes[i], *places[i], SHAPES[values.nodes[i].kind], spoken(values, values.nodes[i]))
        for i in order
    )
    largest = max((abs(edge.weight) for edge in values.edges), default=1.0) or 1.0
    by_size = sorted(values.edges, key=lambda edge: abs(edge.weight))
    lines = tuple(Line(edge, _path(places, edge), _width(abs(edge.weight) / largest)) for edge in by_size)
    names = {-1: "embeddings", values.n_layers: "logits"}
    bottoms = {at: tops[at - 1] - 6 if at - 1 in tops else height - 30 for at in tops}
    layers = tuple(
        Label(4.0, round(top + STEP / 2 + 10, 1), names.get(at, f"layer {at}"), base=round(bottoms[at], 1))
        for at, top in tops.items()
    )
    tokens = tuple(
        Label(round(lefts[i] + MARGIN / 2, 1), height - 12, _short(token(text, i)), f"token {i}: {text!r}")
        for i, text in enumerate(values.texts)
    )
    logits = tuple(
        Label(round(places[i][0] + 11, 1), round(places[i][1] + 4, 1), _logit(node))
        for i, node in enumerate(values.nodes)
        if node.kind == "logit"
    )
    return Drawing(round(width, 1), round(height, 1), marks, lines, layers, tokens, logits)


def spoken(values: GraphValues, node: NodeValues) -> str:
    """A node in a sentence: what it is, where, how strong."""
    at_token = node.kind in ("feature", "error", "position")
    where = f" at token {node.token} {values.texts[node.token]!r}" if at_token else ""
    layer = f", layer {node.layer}" if node.kind in ("feature", "error") else ""
    what = "probability" if node.kind == "logit" else "activation"
    value = "" if node.value is None else f", {what} {node.value:.3g}"
    influence = "" if node.kind == "logit" else f", influence {node.influence:.2g}"
    return f"{node.says}{layer}{where}{value}{influence}"


def _columns(values: GraphValues, cells: dict[tuple[int, int], list[int]]) -> tuple[dict[int, float], float]:
    """The left end of every column, and the whole width; few columns stand wider apart."""
    lefts, x = {}, float(LEFT)
    apart = MARGIN + max(0, min(WIDER, (ROOMY - LEFT) / len(values.texts) - 3 * STEP))
    for column in range(-1, len(values.texts)):
        mine = {layer: len(members) for (at, layer), members in cells.items() if at == column}
        n_logits = mine.pop(values.n_layers, 0)
        fullest = max((min(n, ACROSS) for n in mine.values()), default=0)
        if column < 0 and not fullest:
            continue
        text = "" if column < 0 else _short(token(values.texts[column], column))
        lefts[column] = x
        x += max(fullest * STEP, len(text) * LETTER, min(n_logits, ABREAST) * _abreast(values)) + apart
    return lefts, x


def _bands(values: GraphValues, cells: dict[tuple[int, int], list[int]]) -> tuple[dict[int, float], float]:
    """The top of every band, from the logits down, and the whole height."""
    tops, y = {}, 4.0
    for layer in range(values.n_layers, -2, -1):
        across = ABREAST if layer == values.n_layers else ACROSS
        rows = max((-(-len(m) // across) for (_, at), m in cells.items() if at == layer), default=1)
        tops[layer] = y
        y += max(rows * STEP, STEP) + 30
    return tops, y + 14


def _rank(node: NodeValues) -> float:
    return -(node.value or 0.0) if node.kind == "logit" else -node.influence


def _logit(node: NodeValues) -> str:
    """A logit beside its mark: its text and its probability."""
    return f"{_short(visible(node.says.removeprefix('logit ')))} {node.value or 0.0:.2f}"


def _abreast(values: GraphValues) -> float:
    """How far apart logits stand: as their texts need."""
    longest = max((len(_logit(node)) for node in values.nodes if node.kind == "logit"), default=0)
    return round(STEP + longest * LETTER + 4, 1)


def _path(places: dict[int, tuple[float, float]], edge: EdgeValues) -> str:
    (x0, y0), (x1, y1) = places[edge.source], places[edge.target]
    middle = round((y0 + y1) / 2, 1)
    return f"M{x0:g},{y0:g}C{x0:g},{middle:g} {x1:g},{middle:g} {x1:g},{y1:g}"


def _width(share: float) -> int:
    return sum(share > bound for bound in (0.05, 0.15, 0.35, 0.65))


def _short(text: str) -> str:
    return text if len(text) <= 12 else f"{text[:11]}…"
