"""Scores of dictionaries on held-out documents, each beside its control.

    score({"topk32": d}, model, held_out, Control({"topk32": c}, randomised, "..."))  -->  Scorecard

The control is the same architecture, trained by the same recipe on a model that has learnt nothing,
and scored on that model: what the recipe gives when there is nothing to find.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from monosema.core.findings import Finding
from monosema.evaluation.config import ScoreConfig
from monosema.evaluation.documents import Estimate
from monosema.evaluation.measuring import Measured, measure, prepare
from monosema.evaluation.metrics import METRICS
from monosema.evaluation.scorecard import HISTOGRAM_EDGES, SKIPPED, Histogram, MetricInfo, Scorecard
from monosema.evaluation.subjects import Dictionary, Model, Tokens


@dataclass(frozen=True)
class Control:
    """Where there is nothing to find: dictionaries of the same names, the model that they were trained
    on, and in words what that is ("the same recipe on the model with weights redrawn")."""

    dictionaries: Mapping[str, Dictionary]
    model: Model
    what: str


def score(
    dictionaries: Mapping[str, Dictionary],
    model: Model,
    tokens: Tokens,
    control: Control | None,
    config: ScoreConfig,
) -> Scorecard:
    """Every metric of every dictionary on `tokens`, joined by name with the control's.

    `control=None` is a user's decision to go without, and the findings say so. A dictionary that the
    control does not have (its training diverged, say) has no control, and its findings say that.
    Raises as `prepare` and `measure` do.
    """
    measured = measure(prepare(dictionaries, model, tokens, config), dictionaries)
    controls = None
    if control is not None:
        prepared = prepare(control.dictionaries, control.model, tokens, config)
        controls = measure(prepared, control.dictionaries, what="score control")
    return Scorecard(
        findings={name: _findings(name, measured, controls, control, config.seed) for name in measured.tallies},
        histograms={name: _histogram(name, measured, controls) for name in measured.tallies},
        architectures={name: dictionary.architecture for name, dictionary in dictionaries.items()},
        metrics={name: MetricInfo(metric.formula, metric.unit, metric.better) for name, metric in METRICS.items()},
        model=model.name,
        control_is=control.what if control else SKIPPED,
        n_tokens=measured.n_tokens,
        n_documents=measured.n_documents,
        n_outliers=measured.n_outliers,
    )


def finding(name: str, estimate: Estimate, control: float | None, control_is: str) -> Finding:
    """An estimate beside its control."""
    return Finding(name, estimate.value, control, control_is, estimate.low, estimate.high, estimate.n, estimate.unit)


def control_of(name: str, controls: Measured | None, control: Control | None) -> str:
    """What a dictionary's control is, in words; or why there is none."""
    if controls is None or control is None:
        return SKIPPED
    return control.what if name in controls.tallies else f"the control has no dictionary '{name}'"


def _findings(
    name: str, measured: Measured, controls: Measured | None, control: Control | None, seed: int
) -> dict[str, Finding]:
    tally = controls.tallies.get(name) if controls else None
    beside = {metric: estimate.value for metric, estimate in tally.estimates(seed).items()} if tally else {}
    control_is = control_of(name, controls, control)
    estimates = measured.tallies[name].estimates(seed)
    return {metric: finding(metric, estimate, beside.get(metric), control_is) for metric, estimate in estimates.items()}


def _histogram(name: str, measured: Measured, controls: Measured | None) -> Histogram:
    counts, dead = measured.tallies[name].frequencies.histogram(HISTOGRAM_EDGES)
    if controls is None or name not in controls.tallies:
        return Histogram(HISTOGRAM_EDGES, counts, dead, None, None)
    return Histogram(HISTOGRAM_EDGES, counts, dead, *controls.tallies[name].frequencies.histogram(HISTOGRAM_EDGES))
