"""The distractor sweep as an exhibit: pairs that are made, with no model anywhere."""

import math
from collections.abc import Sequence

from monosema.core.exhibits import Exhibit, Table
from monosema.core.findings import Finding, short
from monosema.probes.distractors import DistractorConfig, Swept, sweep_distractor
from monosema.probes.table import PROBES

QUESTION = "When does a probe find a distractor instead of the truth?"


def sweep(config: DistractorConfig) -> Exhibit:
    """Every method at every ratio of the distractor's size to the truth's; the same config gives the same exhibit."""
    found = sweep_distractor(config)
    how = (
        f"{config.n:,} pairs of {config.d} dimensions to fit on and as many fresh ones to measure on, in "
        f"{config.seeds} draws: x1, x0 = c +- (truth of size {short(config.a)} + an independent distractor) + noise of "
        f"deviation {short(config.noise)}. There is no model in it. Chance is one half."
    )
    panels = (_table(found), *found.curves())
    return Exhibit("distractor", QUESTION, _sentences(found), panels, _findings(found), config, how, "probe --sweep")


def _supervised(method: str) -> bool:
    return method in PROBES and PROBES[method].supervised


def _sentences(found: Swept) -> tuple[str, ...]:
    flipping = {method: at for method, at in found.flips.items() if not math.isnan(at) and method != "random"}
    said = []
    if flipping:
        each = ", ".join(f"{method} at b/a = {at:.2f}" for method, at in flipping.items())
        said.append(f"They go over from truth to the distractor where it is about as large: {each}.")
    never = [method for method, at in found.flips.items() if math.isnan(at) and method != "random"]
    if never:
        least = min(min(found.truth[method]) for method in never)
        said.append(
            f"Never: {', '.join(never)}, right about the truth in at least {least:.1%} of fresh pairs at every ratio "
            f"up to {short(found.config.ratios[-1])}."
        )
    told, untold = ([m for m in group if _supervised(m)] for group in (never, flipping))
    if told == never and not untold:
        said.append("Those that flip are told no labels; those that do not are told the truth's.")
    return tuple(said)


def _table(found: Swept) -> Table:
    ratios = found.config.ratios
    rows = tuple((method, *_cells(found, method), _flip(found.flips[method])) for method in found.config.methods)
    says = "Accuracy on truth / on the distractor, of the better sign, on fresh pairs, mean over the draws."
    return Table("Truth or distractor", says, ("method", *(f"b/a = {short(r)}" for r in ratios), "flips at"), rows)


def _cells(found: Swept, method: str) -> Sequence[str]:
    both = zip(found.truth[method], found.distractor[method], strict=True)
    return [f"{truth:.3f} / {other:.3f}" for truth, other in both]


def _flip(at: float) -> str:
    return "never" if math.isnan(at) else f"{at:.2f}"


def _findings(found: Swept) -> dict[str, Finding]:
    """Of each method the accuracy on truth at the last ratio under 1 and the first above, beside the distractor's."""
    ratios = found.config.ratios
    n = found.config.n * found.config.seeds
    under = [i for i, ratio in enumerate(ratios) if ratio < 1][-1:]
    above = [i for i, ratio in enumerate(ratios) if ratio > 1][:1]
    return {
        f"{method}_at_{short(ratios[i])}": Finding(
            f"accuracy of {method} on truth at b/a = {short(ratios[i])}",
            found.truth[method][i],
            found.distractor[method][i],
            "on the distractor",
            found.truth[method][i],
            found.truth[method][i],
            n,
            "pairs",
        )
        for method in found.config.methods
        for i in (*under, *above)
    }
