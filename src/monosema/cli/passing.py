"""The heads of edges as `monosema trace --heads` prints them: what each passes, and why the first looked there."""

from math import isnan
from typing import TYPE_CHECKING, Any

from monosema.cli.showing import Grid
from monosema.core.findings import short

if TYPE_CHECKING:
    from monosema.pipeline.tracing_heads import Passings

PASSES = ("edge", "weight", "head", "from", "at", "passes", "looking alike")
LOOKS = ("head", "from", "at", "attention", "score", "other keys", "query's node", "key's node", "add", "at other keys")


def tables(found: "Passings") -> list[Any]:
    """Two tables, the findings, and what the columns are."""
    passes, looks = [], []
    for row in found.edges:
        for i, one in enumerate(row.heads):
            start = (f"{row.source} > {row.target}", f"{row.weight:+.3f}") if i == 0 else ("", "")
            passes.append([*start, one.head, str(one.query), str(one.key), f"{one.part:+.3f}", f"{one.even:+.3f}"])
    for seen in found.looks:
        at = [seen.head, str(seen.query), str(seen.key), short(seen.attention), short(seen.score), short(seen.others)]
        for i, (asks, answers, part, other) in enumerate(seen.pairs):
            beside = "none" if isnan(other) else f"{other:+.3f}"
            looks.append([*(at if i == 0 else [""] * len(at)), asks, answers, f"{part:+.3f}", beside])
    return [
        "",
        "heads that the strongest edges between two tokens go through; parts of two layers are not to be added",
        Grid(PASSES, passes, frozenset(PASSES[1:])),
        "",
        "why the first head of each looked there: its score before the softmax, by pairs of nodes",
        Grid(LOOKS, looks, frozenset(LOOKS[:6] + LOOKS[8:])),
        "",
        Grid(("finding", "value"), [[one.name.replace("_", " "), str(one)] for one in found.findings]),
    ]
