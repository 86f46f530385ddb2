"""The pictures and tables of a study of heads."""

from jaxtyping import Float
from torch import Tensor

from monosema.circuits.heads.composition import KINDS, Kind
from monosema.circuits.heads.patterns import LOOKS
from monosema.circuits.heads.studying import Direct, Study
from monosema.core.exhibits import Heatmap, Panel, Table
from monosema.core.findings import short

LOGIT = "the logit less the mean of all tokens'"

MOST_HEADS = 48
"""Heads of a model whose composition is drawn pair by pair; of larger ones the strongest pairs are listed."""

TITLES = {"previous": "Previous token", "duplicate": "Duplicate token", "induction": "Induction"}
SAYS = {
    "previous": "Attention to the token before",
    "duplicate": "Attention to the first occurrence of the same token",
    "induction": "Attention to the token after the first occurrence of the same token",
}


def panels(found: Study) -> tuple[Panel, ...]:
    """All of them, in the order of the page."""
    own, control = found.own, found.control
    looks = [
        by_layer(TITLES[name], f"{SAYS[name]}, mean over the repetition.", own.patterns.of(name)) for name in LOOKS
    ]
    head = own.direct.by_head(found.model.n_layers, found.model.n_heads).mean(-1)
    return (
        *looks,
        strongest_heads(found),
        signed("Direct effect on the logit", f"What each head adds by itself to the logit of {found.prompts}.", head),
        by_part(found),
        *features(found),
        signed("Copying", "Sum of the OV circuit's eigenvalues, from token to token, over their sizes.", own.copying),
        signed("Matching", "The same of the QK circuit: whether a token looks for itself.", own.matching),
        *(pairs(found, kind) for kind in KINDS if found.model.n_layers * found.model.n_heads <= MOST_HEADS),
        strongest_pairs(found, control_best={kind: control.composition.strongest(kind, 1) for kind in KINDS}),
    )


def by_layer(
    title: str, says: str, scores: Float[Tensor, "layer head"], low: float = 0.0, high: float = 1.0
) -> Heatmap:
    """A cell for every head."""
    n_layers, n_heads = scores.shape
    cells = tuple(tuple(row) for row in scores.tolist())
    return Heatmap(
        title, says, "head", "layer", tuple(range(n_heads)), tuple(range(n_layers)), cells, low=low, high=high
    )


def signed(title: str, says: str, scores: Float[Tensor, "layer head"]) -> Heatmap:
    """The same on a scale as long below zero as above."""
    end = float(scores.abs().max()) or 1.0
    return by_layer(title, f"{says} The middle of the scale is 0.", scores, -end, end)


def strongest_heads(found: Study) -> Table:
    """The heads with the highest score of each kind."""
    rows = []
    for name in LOOKS:
        own, control = found.own.patterns.of(name), found.control.patterns.of(name)
        for i in own.flatten().argsort(descending=True, stable=True)[: found.config.shown].tolist():
            layer, head = divmod(i, own.shape[1])
            at = (f"{layer}.{head}", short(float(own[layer, head])), short(float(control[layer, head])))
            rows.append((TITLES[name], *at, short(float(control.max()))))
    headers = ("score", "head", "share of attention", "same head, redrawn", "best head, redrawn")
    return Table(
        "Where heads look", "The heads with the highest scores, beside the redrawn model's.", headers, tuple(rows)
    )


def by_part(found: Study) -> Table:
    """Direct effects that are not heads', and the sum, beside the redrawn model's."""
    n = found.own.direct.values.shape[1]
    own, control = (_sums(one.direct) for one in (found.own, found.control))
    rows = tuple((name, short(value), short(control.get(name, 0.0))) for name, value in own.items())
    says = f"Parts add up to the centred logit of {found.prompts}; mean over {n} prompt{'s' * (n > 1)}."
    return Table("Direct effects by part", says, ("part", "adds", "redrawn"), rows)


def _sums(direct: Direct) -> dict[str, float]:
    """By name what each part adds on average, heads and features together, the sum, and the logit."""
    parts = list(zip(direct.parts, direct.values.mean(1).tolist(), strict=True))
    rows = {str(part): mean for part, mean in parts if part.kind not in ("head", "feature")}
    for kind in ("head", "feature"):
        if some := [mean for part, mean in parts if part.kind == kind]:
            rows[f"all {kind}s"] = sum(some)
    return rows | {"sum": sum(mean for _, mean in parts), LOGIT: float(direct.total.mean())}


def features(found: Study) -> tuple[Table, ...]:
    """The dictionary's features that add most, where there is a dictionary."""
    own = found.own.direct
    means = zip(own.parts, own.values.mean(1).tolist(), strict=True)
    rows = sorted(((part, mean) for part, mean in means if part.kind == "feature"), key=lambda row: -abs(row[1]))
    if not rows:
        return ()
    shown = tuple((str(part), short(mean)) for part, mean in rows[: found.config.shown])
    says = f"Of {len(rows)} that fire, those that add most to the logit of {found.prompts}, or take most from it."
    return (Table("Direct effects of features", says, ("feature", "adds"), shown),)


def pairs(found: Study, kind: Kind) -> Heatmap:
    """A cell for every pair of heads; open where the first is not earlier."""
    scores = found.own.composition.scores[kind]
    n = scores.shape[0] * scores.shape[1]
    band = found.own.composition.baseline
    says = (
        f"Heads are counted through all layers, {scores.shape[1]} in each. Random matrices of these shapes score "
        f"{short(band.mean)}, 95% of them {short(band.low)} to {short(band.high)}."
    )
    high = max(band.high, float(scores.nan_to_num(0).max()))
    cells = tuple(tuple(row) for row in scores.reshape(n, n).tolist())
    ticks = tuple(range(n))
    return Heatmap(f"{kind}-composition", says, "reading head", "writing head", ticks, ticks, cells, high=high)


def strongest_pairs(found: Study, control_best: dict[Kind, tuple[tuple[int, int, int, int, float], ...]]) -> Table:
    """The pairs that compose most, by kind."""
    band = found.own.composition.baseline
    rows = []
    for kind in KINDS:
        best = short(control_best[kind][0][-1]) if control_best[kind] else "none"
        for layer, head, later, reader, score in found.own.composition.strongest(kind, found.config.shown):
            rows.append((kind, f"{layer}.{head}", f"{later}.{reader}", short(score), best))
    says = f"Random matrices of these shapes: {short(band.mean)}; 95% of them {short(band.low)} to {short(band.high)}."
    headers = ("composition", "writes", "reads", "score", "best pair, redrawn")
    return Table("Heads that read what heads write", says, headers, tuple(rows))
