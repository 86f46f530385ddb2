"""The scorecard: a row a metric, a column a dictionary, a control beside every value."""

from dataclasses import dataclass

from monosema.dashboard.cells import Cell, cell, decimals_of
from monosema.dashboard.data import ReportData
from monosema.dashboard.numbers import count
from monosema.evaluation.scorecard import MetricInfo

GROUPS = {
    "Reconstruction": ("mse", "variance_explained", "cosine"),
    "Sparsity": ("l0", "l1", "alive"),
    "What the model still predicts": (
        "loss_recovered_mean",
        "loss_recovered_zero",
        "kl",
        "loss_spliced",
        "loss_model",
        "loss_mean",
        "loss_zero",
    ),
    "Decoder geometry": ("decoder_cosine_mean", "decoder_cosine_median", "decoder_cosine_p95"),
}
"""Metrics that are read together. One that is not here is listed at the end."""

MARKED = ("variance_explained", "cosine", "loss_recovered_mean", "loss_recovered_zero")
"""Metrics whose cell says when the value is no better than its control. The others have the scale of
their own model's activations or losses in them, or are better only at equal error, as L0 is."""

ARROWS = {"higher": "↑", "lower": "↓", "neither": ""}


@dataclass(frozen=True)
class MetricRow:
    """One metric of every dictionary; a cell is None where a dictionary has no such number."""

    name: str
    info: MetricInfo
    arrow: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Group:
    """Metrics that are read together."""

    title: str
    rows: tuple[MetricRow, ...]


@dataclass(frozen=True)
class ScorecardView:
    """The table with its captions."""

    dictionaries: tuple[tuple[str, str], ...]
    groups: tuple[Group, ...]
    control_is: str
    n_tokens: str
    n_documents: str
    n_outliers: str


def view(data: ReportData) -> ScorecardView | None:
    """The scorecard of the run; None when there is none."""
    card = data.scorecard
    if card is None:
        return None
    metrics = list(dict.fromkeys(name for findings in card.findings.values() for name in findings))
    listed = {name for names in GROUPS.values() for name in names}
    groups = {**GROUPS, "Other": tuple(name for name in metrics if name not in listed)}
    return ScorecardView(
        dictionaries=tuple((name, card.architectures[name]) for name in card.findings),
        groups=tuple(
            Group(title, tuple(_row(data, name) for name in names if name in metrics))
            for title, names in groups.items()
            if any(name in metrics for name in names)
        ),
        control_is=card.control_is,
        n_tokens=count(card.n_tokens),
        n_documents=count(card.n_documents),
        n_outliers=count(card.n_outliers),
    )


def _row(data: ReportData, metric: str) -> MetricRow:
    card = data.scorecard
    assert card is not None
    found = [findings.get(metric) for findings in card.findings.values()]
    info = card.metrics[metric]
    decimals = decimals_of(finding for finding in found if finding is not None)
    better = info.better if metric in MARKED else "neither"
    cells = tuple(None if finding is None else cell(finding, decimals, better) for finding in found)
    return MetricRow(metric, info, ARROWS.get(info.better, ""), cells)
