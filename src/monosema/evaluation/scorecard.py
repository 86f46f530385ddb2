"""A scorecard: every dictionary, every metric, every number beside its control.

    scorecard.findings["topk32"]["mse"]   0.91 (control 1.52; 95% 0.89..0.93; n=2,048 documents)
    scorecard.histograms["topk32"]        how many features fire how often, here and on the control

Plain values that go to JSON and come back. Imports no tensors, so that a page can read it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from monosema.core.errors import DamagedError
from monosema.core.findings import Finding
from monosema.core.shown import Shown

HISTOGRAM_EDGES = tuple(-7 + 0.25 * i for i in range(29))
"""Edges of the log10 frequency histogram: quarter decades from 1e-7 to 1, the same for every
dictionary, so that a value and its control lie on the same bars."""

SKIPPED = "skipped by the user"

UNDEFINED = "undefined"
"""How a number that is not finite is written to JSON, which has no way to write it; null is a
control that was skipped."""

T = TypeVar("T")


@dataclass(frozen=True)
class MetricInfo:
    """What a reader of a number needs: its formula, its unit, and which way is better."""

    formula: str
    unit: str
    better: str


@dataclass(frozen=True)
class Histogram:
    """Counts of features by log10 of their frequency; `dead` ones never fired on the scored tokens.

    `control` and `control_dead` are the same for the control's dictionary, None where there is none.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    dead: int
    control: tuple[int, ...] | None
    control_dead: int | None


@dataclass(frozen=True)
class Row:
    """One line of the scorecard."""

    dictionary: str
    architecture: str
    metric: str
    finding: Finding
    info: MetricInfo


@dataclass(frozen=True)
class Scorecard(Shown):
    """The scores of some dictionaries on the same held-out tokens.

    findings       dictionary name -> metric name -> Finding
    histograms     dictionary name -> frequencies
    architectures  dictionary name -> architecture
    metrics        metric name -> formula, unit, which way is better
    n_tokens       scored positions, of n_documents documents; n_outliers more were left out
    """

    findings: Mapping[str, Mapping[str, Finding]]
    histograms: Mapping[str, Histogram]
    architectures: Mapping[str, str]
    metrics: Mapping[str, MetricInfo]
    model: str
    control_is: str
    n_tokens: int
    n_documents: int
    n_outliers: int

    def rows(self) -> tuple[Row, ...]:
        """Every finding, dictionary by dictionary, metrics in the order of the table."""
        return tuple(
            Row(name, self.architectures[name], metric, finding, self.metrics[metric])
            for name, findings in self.findings.items()
            for metric, finding in findings.items()
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for core.runs.write_json."""
        return plain(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Scorecard":
        """What `to_json` gave. Raises DamagedError when a part is missing, unknown or of another kind."""
        with_parts = dict(data)
        readers = {"findings": _findings_table, "histograms": _histograms, "metrics": _infos}
        for key, read in readers.items():
            if key in with_parts:
                with_parts[key] = read(with_parts[key])
        return record(Scorecard, with_parts)


def plain(value: Any) -> Any:
    """`value` as JSON: records become objects, tuples lists, numbers that are not finite "undefined"."""
    if isinstance(value, float) and not math.isfinite(value):
        return UNDEFINED
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return {field.name: plain(getattr(value, field.name)) for field in fields(value)}


def record(cls: type[T], data: Any) -> T:
    """The dataclass `cls` with exactly the fields in `data`; lists become tuples, "undefined" NaN.

    Raises DamagedError naming the fields that are missing or unknown.
    """
    if not isinstance(data, Mapping):
        raise DamagedError(f"expected an object with the fields of {cls.__name__}, got {data!r}")
    known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
    if wrong := sorted(known.symmetric_difference(data)):
        raise DamagedError(
            f"{cls.__name__}: missing or unknown {', '.join(wrong)}: the file was edited or is of another version"
        )
    return cls(**{key: _value(item) for key, item in data.items()})


def _value(item: Any) -> Any:
    if item == UNDEFINED:
        return math.nan
    return tuple(item) if isinstance(item, list) else item


def findings(data: Mapping[str, Any]) -> dict[str, Finding]:
    """A table of Findings from its JSON."""
    return {name: record(Finding, finding) for name, finding in data.items()}


def _findings_table(data: Mapping[str, Any]) -> dict[str, dict[str, Finding]]:
    return {name: findings(of_one) for name, of_one in data.items()}


def _histograms(data: Mapping[str, Any]) -> dict[str, Histogram]:
    return {name: record(Histogram, histogram) for name, histogram in data.items()}


def _infos(data: Mapping[str, Any]) -> dict[str, MetricInfo]:
    return {name: record(MetricInfo, info) for name, info in data.items()}
