"""Claims about how a model works: a sentence, a number, its control, and the bar, all but the number said beforehand.

    Claim        what is said, what is measured beside what, and where the bar is
    holds        the interval's worse end clears the bar, and the control does not

A bar that the control clears too tells nothing, so such a claim fails; and a claim that fails stays in the table.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from monosema.core.exhibits import Table
from monosema.core.findings import Finding, bootstrap, short
from monosema.toys import intervals

Measured = Mapping[str, Finding]
"""What one model shows, by the claim's name."""


@dataclass(frozen=True)
class Claim:
    """A claim.

    says       the claim, in a sentence
    measured   what the number is
    control    what stands beside it
    side       on which side of the bar the number must be
    unit       what is counted
    """

    name: str
    says: str
    measured: str
    control: str
    bar: float
    side: Literal["at least", "at most"] = "at least"
    unit: str = "cases"

    @property
    def mark(self) -> str:
        """The bar as tables show it."""
        return f"{'≥' if self.side == 'at least' else '≤'}\N{NO-BREAK SPACE}{self.bar:g}"

    def holds(self, found: Finding) -> bool:
        """Whether the whole interval is on the bar's right side, and the control on the other. Of what could not be
        measured nothing holds."""
        if found.control is None or math.isnan(found.value):
            return False
        if self.side == "at least":
            return bool(found.low >= self.bar and found.control < self.bar)
        return bool(found.high <= self.bar and found.control > self.bar)

    def of_weights(self, value: float, control: float, n: int) -> Finding:
        """The finding of a number that depends on the weights alone, and so has no interval."""
        return Finding(self.name, value, control, self.control, value, value, n, self.unit)

    def share(self, hits: Bool[Tensor, "*cases"], control: float) -> Finding:
        """The finding of a share, with Wilson's interval; of no cases it is undefined."""
        n = hits.numel()
        if n == 0:
            return Finding(self.name, math.nan, control, self.control, math.nan, math.nan, 0, self.unit)
        return intervals.share(self.name, int(hits.sum()), n, control, self.control, self.unit)

    def ratio(self, terms: Float64[Tensor, "case 2"], control: float, generator: torch.Generator) -> Finding:
        """The finding of 1 - (sum of the first terms) / (sum of the second), with the bootstrap's interval."""
        value, low, high = bootstrap(terms, lambda sums: 1 - sums[..., 0] / sums[..., 1], generator)
        return Finding(self.name, value, control, self.control, low, high, len(terms), self.unit)


def pooled(claim: Claim, runs: Sequence[Measured]) -> Finding:
    """Of one model its own finding; of several the mean over models with Student's interval, which ends at 1."""
    found = [run[claim.name] for run in runs]
    if len(found) == 1:
        return found[0]
    control = sum(one.control for one in found if one.control is not None) / len(found)
    values = [one.value for one in found]
    over = intervals.over_seeds(claim.name, values, control, claim.control, "models")
    return replace(over, high=min(1.0, over.high))


def held(claim: Claim, runs: Sequence[Measured]) -> int:
    """In how many of the models the claim holds."""
    return sum(claim.holds(run[claim.name]) for run in runs)


def said(claims: Sequence[Claim], runs: Sequence[Measured]) -> str:
    """In a sentence how many claims hold, and which do not."""
    n = len(runs)
    failed = [claim for claim in claims if held(claim, runs) < n]
    every = "the model" if n == 1 else f"all {n} models"
    begun = f"{len(claims) - len(failed)} of {len(claims)} claims hold in {every}"
    if not failed:
        return f"{begun}."
    counts = "" if n == 1 else " ({} of {})"
    listed = ", ".join(claim.name.replace("_", " ") + counts.format(held(claim, runs), n) for claim in failed)
    return f"{begun}. The others fail{' in at least one' if n > 1 else ''}: {listed}."


def span(values: Sequence[float], form: str) -> str:
    """The values' range, '99.8% to 100.0%', or one number where its ends read the same."""
    low, high = (format(end(values), form) for end in (min, max))
    return low if low == high else f"{low} to {high}"


def table(claims: Sequence[Claim], runs: Sequence[Measured]) -> Table:
    """Every claim with its bar, its number, its control and whether it holds."""
    rows = []
    for claim in claims:
        found, n = pooled(claim, runs), held(claim, runs)
        verdict = ("holds" if n else "fails") if len(runs) == 1 else f"{n} of {len(runs)}"
        between = "" if found.low == found.high else f"{short(found.low)} .. {short(found.high)}"
        numbers = (claim.mark, short(found.value), short(found.control), between)
        rows.append((claim.says, verdict, *numbers, claim.measured))
    return Table(
        "Claims",
        "The bars stand in the source, and were set on models of seeds below 10. A claim holds in a model when its "
        "whole interval is on the bar's right side and its control is on the other.",
        ("claim", "holds" if len(runs) == 1 else "holds in", "bar", "value", "control", "95%", "measured"),
        tuple(rows),
    )


def by_model(claims: Sequence[Claim], runs: Sequence[Measured], seeds: Sequence[int]) -> Table:
    """A row for every claim, a column for every model: its number and, in brackets, its control."""
    rows = []
    for claim in claims:
        cells = [run[claim.name] for run in runs]
        marks = ["" if claim.holds(cell) else " fails" for cell in cells]
        shown = [f"{short(c.value)} ({short(c.control)}){mark}" for c, mark in zip(cells, marks, strict=True)]
        rows.append((claim.name.replace("_", " "), claim.mark, *shown))
    return Table(
        "Model by model",
        "Each claim's number in each model, its control in brackets.",
        ("claim", "bar", *(f"seed {seed}" for seed in seeds)),
        tuple(rows),
    )
