"""A Finding as a cell: the value, its control beside it, the interval under it.

0.914  0.520          value, control (muted)
0.89 .. 0.93          95% interval
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from monosema.core.findings import Finding
from monosema.dashboard.numbers import count, decimals_for, fixed, short, signed

SAME, WORSE = "no better than control", "worse than control"


@dataclass(frozen=True)
class Cell:
    """`control` is '' where there is none, and `control_is` then says why; `mark` is SAME, WORSE or ''."""

    value: str
    control: str
    control_is: str
    interval: str
    n: str
    mark: str
    full: str


def cell(finding: Finding, decimals: int, better: str = "neither", *, sign: bool = False) -> Cell:
    """The finding with so many decimals. `better` says which way the mark compares; 'neither' gives none."""
    write = signed if sign else fixed
    exact = finding.low == finding.value == finding.high
    known = not math.isnan(finding.low) and not math.isnan(finding.high)
    interval = (
        ""
        if exact
        else f"{write(finding.low, decimals)} .. {write(finding.high, decimals)}"
        if known
        else "no interval"
    )
    return Cell(
        value=write(finding.value, decimals),
        control="" if finding.control is None else _control(finding.control, decimals, sign=sign),
        control_is=finding.control_is,
        interval=interval,
        n=f"{count(finding.n)} {finding.units}",
        mark=_mark(finding, better) if known else "",
        full=str(finding),
    )


def _control(value: float, decimals: int, *, sign: bool) -> str:
    """As the value is written, but with digits enough when the control is much smaller."""
    if 0 < abs(value) < 10 * 10**-decimals:
        return f"+{short(value)}" if sign and value > 0 else short(value)
    return (signed if sign else fixed)(value, decimals)


def _mark(finding: Finding, better: str) -> str:
    control = finding.control
    if control is None or math.isnan(control) or better not in ("higher", "lower"):
        return ""
    if finding.low <= control <= finding.high:
        return SAME
    return WORSE if (control > finding.high) == (better == "higher") else ""


def decimals_of(findings: Iterable[Finding]) -> int:
    """Decimals that suit all of a row's values; its controls, which may be wild, get the same."""
    return decimals_for(finding.value for finding in findings)
