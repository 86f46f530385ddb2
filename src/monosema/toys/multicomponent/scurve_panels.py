"""The panels of `scurve`: runs as lines and maps."""

import math
from collections.abc import Mapping, Sequence
from statistics import mean

from monosema.core.exhibits import Curves, Heatmap, Line, Role, Table
from monosema.core.findings import short
from monosema.toys.multicomponent.surveys import Curve, Map, Runs, Waits
from monosema.toys.multicomponent.theory import eckart_young

N_POINTS = 240
FLOOR = 1e-4
"""Losses below this share of the first are not drawn: there is nothing left to see but rounding."""

NAMES = {"flow": "gradient flow", "sgd": "SGD", "adam": "Adam"}


def losses_in_steps(values: Sequence[float], few: Runs, alone: Runs) -> Curves:
    """One run with its logistics, the heights that theory gives, and the control."""
    ends = (few.curves[0][0][0], few.curves[0][0][-1], math.nan)
    heights = tuple(y for k in range(len(values)) for y in (eckart_young(values, k),) * 3)
    levels = Line("best of 0, 1, ... components", ends * len(values), heights, role="theory")
    return Curves(
        "Loss of a sum of products",
        "The loss falls in as many steps as there are components and waits at the heights that Eckart and Young give; "
        "without a product it falls at once.",
        "time",
        "loss",
        (
            _line("sum of products", few.curves[0]),
            _line("logistics added", few.theory[0], "theory"),
            levels,
            _line("without a product", alone.curves[0], "control"),
        ),
        log_y=True,
    )


def components(values: Sequence[float], runs: Runs, title: str, seen: str) -> Curves:
    """How much of each component one run holds, through time."""
    times = runs.curves[0][0]
    held = runs.trajectory.strengths[0]
    lines = []
    for i, value in enumerate(values):
        kept = _thin(times, held[:, i].tolist())
        lines.append(Line(f"s = {short(value)}", tuple(kept[0]), tuple(x / value for x in kept[1])))
    return Curves(
        title, f"Every component rises in an S: {seen}.", "time", "share of the component learnt", tuple(lines)
    )


def second_plateau(name: str, found: Map, edge: Sequence[float]) -> Heatmap:
    """The map of one optimiser, with the boundary of gradient flow's theory."""
    words = NAMES[name]
    limit = Line("two logistics, for gradient flow", tuple(edge), found.inits, role="theory")
    return Heatmap(
        f"Second plateau, {words}",
        f"Share of seeds in which {words} waits a second time: {_mean(found):.0%} of all runs.",
        "second component, as a share of the first",
        "initial size",
        found.ratios,
        found.inits,
        found.shares,
        lines=(limit,),
        log_y=True,
    )


def _mean(found: Map) -> float:
    return mean(value for row in found.shares for value in row)


def cross_entropy(two: Mapping[str, Runs], flat: Runs) -> Curves:
    """One run of each recipe with cross-entropy, by step."""
    lines = [_by_step(name, runs) for name, runs in two.items()]
    return Curves(
        "Cross-entropy, two components",
        "One run of each recipe: two steps are two drops with a level between, one step is a single drop.",
        "step",
        "KL, nats a row",
        (*lines, _by_step("without a product", flat, "control")),
        log_x=True,
    )


def losses_of_many(values: Sequence[float], many: Runs) -> Curves:
    """The loss of many components: its steps run together."""
    return Curves(
        f"Loss of {len(values)} components",
        "The first steps stand apart, the later ones run together into one slope; the sum of logistics lies on it.",
        "time",
        "loss",
        (_line("sum of products", many.curves[0]), _line("logistics added", many.theory[0], "theory")),
        log_y=True,
    )


def many_by_cross_entropy(ten: Mapping[str, Runs], two: Mapping[str, Runs]) -> Curves:
    """Many components with cross-entropy, beside two."""
    lines = [_by_step(f"many: {name}", runs) for name, runs in ten.items()]
    first = next(iter(two))
    return Curves(
        "Cross-entropy, many components",
        "With many components the loss slides towards zero; with two it drops to it.",
        "step",
        "KL, nats a row",
        (*lines, _by_step(f"two: {first}", two[first], "control")),
        log_x=True,
        log_y=True,
    )


def waits(found: Waits) -> Curves:
    """Time until half is learnt, by the size of the start, with two and with three factors."""
    words = {2: "two factors", 3: "three factors"}
    lines = [Line(words[order], found.starts, times) for order, times in found.measured.items()]
    exact = [Line(f"{words[order]}, exact", found.starts, times, role="theory") for order, times in found.exact.items()]
    none = Line("without a product", found.starts, tuple(math.log(2 * (1 - u)) for u in found.starts), role="control")
    return Curves(
        "The wait before the first drop",
        "With two factors the wait grows as the logarithm of the start, with three as a power; without a product it "
        "does not grow.",
        "what is there at the start, of 1",
        "time until half is learnt",
        (*lines, *exact, none),
        log_x=True,
        log_y=True,
    )


def recipes(two: Mapping[str, Runs], flat: Runs) -> Table:
    """Plateaus of every recipe with cross-entropy."""
    rows = []
    for name, runs in (*two.items(), ("without a product", flat)):
        second = [w[1] for w in runs.waits if len(w) > 1]
        left = mean(curve[-1] / curve[0] for _, curve in runs.curves)
        heights = short(mean(p.height for p in second)) if second else "-"
        rows.append((name, f"{len(second)} of {len(runs.waits)}", heights, f"{left:.1e}"))
    most = [name for name, runs in two.items() if 2 * sum(len(w) > 1 for w in runs.waits) > len(runs.waits)]
    return Table(
        "Recipes with cross-entropy",
        f"The second plateau is there in most seeds of: {', '.join(most) or 'none'}.",
        ("recipe", "second plateau, of seeds", "its height", "loss left, as a share of the first"),
        tuple(rows),
    )


def _thin(xs: Sequence[float], ys: Sequence[float]) -> Curve:
    """At most N_POINTS of the points, half of them evenly apart and half evenly in the logarithm of their number."""
    last, half = len(xs) - 1, N_POINTS // 2
    even = (round(last * k / (half - 1)) for k in range(half))
    early = (round(last ** (k / (half - 1))) for k in range(half))
    kept = sorted({*even, *early} & set(range(len(xs))))
    return [xs[i] for i in kept], [ys[i] for i in kept]


def _line(name: str, curve: Curve, role: Role = "measured") -> Line:
    return _seen(name, *curve, role)


def _by_step(name: str, runs: Runs, role: Role = "measured") -> Line:
    return _seen(name, [float(step) for step in runs.trajectory.steps], runs.curves[0][1], role)


def _seen(name: str, xs: Sequence[float], ys: Sequence[float], role: Role) -> Line:
    x, y = _thin(xs, ys)
    return Line(name, tuple(x), tuple(v if v > FLOOR * ys[0] else math.nan for v in y), role=role)
