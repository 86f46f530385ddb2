"""A check as a page shows it: the verdicts of every dictionary, and the numbers behind them.

summary       a row a claim, a column a dictionary
dictionary    each claim with its sentence, rule and reasons; each metric beside every control; frequencies
"""

import math
from dataclasses import dataclass

from monosema.dashboard.numbers import count, decimals_for, fixed, short, signed
from monosema.dashboard.sections.frequencies import HistogramView, panels
from monosema.evaluation.checks import OWN, Check, Checked, Contrast, Measure, Verdict
from monosema.evaluation.scorecard import Histogram

DECIMALS = 3
UNFLAGGED = ("l0", "alive")
"""Of which no difference is asked for."""

MARKS = {"supported": "✓", "not supported": "✗", "not measured": "○"}


@dataclass(frozen=True)
class SummaryRow:
    """One claim: its verdict on each dictionary, as (mark, outcome, class)."""

    says: str
    cells: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class VerdictView:
    """A verdict with its mark and its class in the style sheet."""

    verdict: Verdict
    mark: str
    kind: str


@dataclass(frozen=True)
class ControlCell:
    """The control's value, the difference with its interval, and a flag; `why` where there is no such number."""

    value: str
    difference: str
    interval: str
    flag: str
    why: str


@dataclass(frozen=True)
class MetricRow:
    """One metric of one dictionary: its value, and a cell a control (None where it makes no sense)."""

    words: str
    note: str
    formula: str
    unit: str
    arrow: str
    value: str
    interval: str
    n: str
    cells: tuple[ControlCell | None, ...]


@dataclass(frozen=True)
class Table:
    """Metrics that are read together; `controls` are (words, what it is)."""

    title: str
    controls: tuple[tuple[str, str], ...]
    rows: tuple[MetricRow, ...]


@dataclass(frozen=True)
class DictionaryView:
    """One dictionary."""

    key: str
    name: str
    recipe: str
    verdicts: tuple[VerdictView, ...]
    tables: tuple[Table, ...]
    frequencies: tuple[HistogramView, ...]


@dataclass(frozen=True)
class CheckView:
    """The page."""

    facts: tuple[tuple[str, str], ...]
    names: tuple[str, ...]
    summary: tuple[SummaryRow, ...]
    dictionaries: tuple[DictionaryView, ...]
    controls: tuple[tuple[str, str], ...]
    short: str


def view(check: Check) -> CheckView:
    """Everything that the page shows."""
    claims = check.dictionaries[0].verdicts
    return CheckView(
        facts=_facts(check),
        names=tuple(checked.dictionary for checked in check.dictionaries),
        summary=tuple(
            SummaryRow(claim.says, tuple(_cell(checked.verdicts[i]) for checked in check.dictionaries))
            for i, claim in enumerate(claims)
        ),
        dictionaries=tuple(_dictionary(check, checked, i) for i, checked in enumerate(check.dictionaries)),
        controls=tuple((said.words, said.what) for said in check.controls if _occurs(check, said.control)),
        short=_short_note(check),
    )


def _facts(check: Check) -> tuple[tuple[str, str], ...]:
    seeds = f"{check.seeds} others" if check.seeds else "none other was trained"
    rows = f"{count(check.rows)} rows each" if check.seeds else "nothing was trained for this check"
    return (
        ("model", check.model),
        ("measured on", f"{count(check.n_tokens)} tokens of {count(check.n_documents)} held-out documents"),
        ("controls trained on", rows),
        ("seeds", seeds),
    )


def _short_note(check: Check) -> str:
    if not check.seeds or check.rows >= check.recipe_rows:
        return ""
    return (
        f"The controls of this check saw {count(check.rows)} rows, the dictionaries {count(check.recipe_rows)}. A "
        "claim that rests on such a control must hold of the dictionary as it is, and of the same recipe on as few "
        "rows. Other seeds on fewer rows find less again than they would on all: --rows gives them more."
    )


def _cell(verdict: Verdict) -> tuple[str, str, str]:
    return MARKS[verdict.outcome], verdict.outcome, _kind(verdict)


def _kind(verdict: Verdict) -> str:
    return verdict.outcome.replace(" ", "-")


def _occurs(check: Check, control: str) -> bool:
    measures = [measure for checked in check.dictionaries for measure in checked.measures]
    named = {c.control for m in measures for c in (*m.contrasts, *m.missing)}
    return control in named


def _dictionary(check: Check, checked: Checked, i: int) -> DictionaryView:
    groups = dict.fromkeys(said.group for said in check.metrics)
    tables = [_table(check, checked, group) for group in groups]
    return DictionaryView(
        key=f"d{i}",
        name=checked.dictionary,
        recipe=checked.recipe,
        verdicts=tuple(VerdictView(v, MARKS[v.outcome], _kind(v)) for v in checked.verdicts),
        tables=tuple(table for table in tables if table is not None),
        frequencies=_frequencies(check, checked),
    )


def _table(check: Check, checked: Checked, group: str) -> Table | None:
    metrics = {said.metric: said for said in check.metrics if said.group == group}
    there = [measure for measure in checked.measures if measure.contrasts or not math.isnan(measure.value)]
    measures = [measure for name in metrics for measure in there if measure.metric == name]
    if not measures:
        return None
    named = {c.control for m in measures for c in (*m.contrasts, *m.missing)}
    controls = [said for said in check.controls if said.control in named]
    rows = []
    for measure in measures:
        said = metrics[measure.metric]
        digits = min(DECIMALS, decimals_for([measure.value, *(c.value for c in measure.contrasts)]))
        exact = measure.low == measure.value == measure.high
        rows.append(
            MetricRow(
                words=said.words,
                note="" if measure.of == OWN else f"the same recipe, {measure.of}",
                formula=said.formula,
                unit=said.unit,
                arrow={"higher": "↑", "lower": "↓"}.get(said.better, ""),
                value=fixed(measure.value, digits),
                interval="" if exact else _interval(measure.low, measure.high, digits),
                n=f"{count(measure.n)} {measure.unit}",
                cells=tuple(_control(measure, control.control, digits) for control in controls),
            )
        )
    return Table(group, tuple((said.words, said.what) for said in controls), tuple(rows))


def _interval(low: float, high: float, digits: int) -> str:
    return "no interval" if math.isnan(low) else f"{fixed(low, digits)} .. {fixed(high, digits)}"


def _control(measure: Measure, control: str, digits: int) -> ControlCell | None:
    contrast = measure.beside(control)
    if contrast is None:
        why = [missing.why for missing in measure.missing if missing.control == control]
        return ControlCell("", "", "", "", why[0]) if why else None
    if math.isnan(contrast.value):
        return ControlCell("undefined", "", "", "", "")
    difference = signed(contrast.difference, digits) if abs(contrast.difference) < 1000 else short(contrast.difference)
    known = not math.isnan(contrast.low)
    interval = f"{signed(contrast.low, digits)} .. {signed(contrast.high, digits)}" if known else ""
    flag = "" if measure.metric in UNFLAGGED else _flag(contrast)
    return ControlCell(fixed(contrast.value, digits), difference, interval, flag, "")


def _flag(contrast: Contrast) -> str:
    if math.isnan(contrast.low):
        return ""
    return "no clear difference" if contrast.low <= 0 <= contrast.high else ""


def _frequencies(check: Check, checked: Checked) -> tuple[HistogramView, ...]:
    words = {said.control: said.words for said in check.controls}
    own = next(found for found in checked.frequencies if found.side == "")
    beside = {
        f"beside {words[found.side]}": (
            f"{short(found.distance)} decades apart",
            Histogram(own.edges, own.counts, own.dead, found.counts, found.dead),
        )
        for found in checked.frequencies
        if found.side
    }
    return panels(beside) if beside else ()
