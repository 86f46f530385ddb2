"""What the prune study found, as plain values.

Does a too low L1 penalty, with the high-frequency features killed afterwards, beat a higher penalty
at the same L0?

    loss      |            x  a      x : dictionaries as trained, a higher penalty to the left
    recovered |     o- - -'          o : `a` without its features of frequency above a threshold
              |  x ' difference > 0 ?    compared with the line between the x's, at the same L0
              |_______________ L0

Imports no tensors, so that a page can read it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monosema.core.findings import Finding
from monosema.evaluation.scorecard import MetricInfo, findings, plain, record

VERDICTS = ("yes", "no", "undecided", "no comparison")


@dataclass(frozen=True)
class PrunePoint:
    """One dictionary, as trained or without some of its features, on the judging half of the documents.

    above              every feature of a frequency above this on the choosing half is killed;
                       None for the dictionary as trained
    n_killed           how many that are
    killed_frequency   the sum of their frequencies on the judging half: what L0 has lost, exactly
    findings           l0, mse, ...; the control is the same on the randomised model
    same_frequency     the same metrics with random features of (nearly) the same summed frequency killed
    differences        of the study's metric, where the L0 lies between two dictionaries as trained:
        pruned           to the line between them, straight in log L0, at the same L0
        denser           to the next dictionary as trained that fires MORE features: no line is drawn,
                         so no bend of the frontier between its points can make this positive
        same_frequency   the random kill, to the line at its own L0
        randomised       the pruned dictionary of the randomised model, to the line of that model's
    """

    dictionary: str
    architecture: str
    above: float | None
    n_killed: int
    killed_frequency: float
    findings: Mapping[str, Finding]
    same_frequency: Mapping[str, Finding]
    differences: Mapping[str, Finding]


@dataclass(frozen=True)
class PruneStudy:
    """The sweep over dictionaries and thresholds, and its answer.

    best      dictionary and threshold with the largest difference on the choosing half: chosen
              there, so that its difference on the judging half is not picked for being large
    verdict   "yes" when the 95% interval of that difference lies above 0, "no" when below,
              "undecided" when it holds 0, "no comparison" when no pruned L0 lies between two others
    answer    the verdict in words, with its numbers
    """

    points: tuple[PrunePoint, ...]
    metric: str
    metrics: Mapping[str, MetricInfo]
    best: tuple[str, float] | None
    verdict: str
    answer: str
    model: str
    control_is: str
    n_tokens: int
    n_choosing: int
    n_judging: int

    def best_point(self) -> PrunePoint | None:
        """The point that `best` names."""
        return next((point for point in self.points if (point.dictionary, point.above) == self.best), None)

    def to_json(self) -> dict[str, Any]:
        """Plain values for core.runs.write_json."""
        return plain(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "PruneStudy":
        """What `to_json` gave. Raises DamagedError when a part is missing or unknown."""
        parts = dict(data)
        if "points" in parts:
            parts["points"] = [_point(point) for point in parts["points"]]
        if "metrics" in parts:
            parts["metrics"] = {name: record(MetricInfo, info) for name, info in parts["metrics"].items()}
        return record(PruneStudy, parts)


def _point(data: Mapping[str, Any]) -> PrunePoint:
    tables = ("findings", "same_frequency", "differences")
    return record(PrunePoint, {key: findings(value) if key in tables else value for key, value in data.items()})


def verdict_of(difference: Finding | None) -> str:
    """What the interval of the difference says."""
    if difference is None:
        return "no comparison"
    if difference.low > 0:
        return "yes"
    return "no" if difference.high < 0 else "undecided"


def answer_of(points: tuple[PrunePoint, ...], best: PrunePoint | None, metric: str) -> str:
    """The answer in words. `best` is the point that was chosen on the other half of the documents."""
    if best is None:
        trained = sorted(point.findings["l0"].value for point in points if point.above is None)
        span = f"{trained[0]:.1f} to {trained[-1]:.1f}" if trained else "none"
        return (
            f"No comparison: no pruned dictionary has, on both halves of the documents, a defined {metric} and an L0 "
            f"between those of two dictionaries as trained (L0 {span}). Train more penalties, "
            "or prune at other thresholds."
        )
    difference, l0 = best.differences["pruned"], best.findings["l0"].value
    opening = {
        "yes": "Yes, pruning a denser dictionary beats a higher penalty at the same L0",
        "no": "No, a higher penalty beats pruning a denser dictionary at the same L0",
        "undecided": "Undecided: pruning and a higher penalty cannot be told apart at the same L0",
    }[verdict_of(difference)]
    before = next(p for p in points if p.dictionary == best.dictionary and p.above is None).findings["l0"].value
    killed = f"{best.n_killed:,} feature{'s' * (best.n_killed != 1)} of frequency above {best.above:g}"
    return (
        f"{opening}. {best.dictionary} (L0 {before:.1f}) without its {killed} has L0 {l0:.1f} and {metric} "
        f"{best.findings[metric].value:.4f}: {_signed(difference)}; n={difference.n:,} documents) against dictionaries "
        f"as trained at that L0{_denser(best)}{_controls(best)}. It was the best of {_tally(points)} on the other half "
        "of the documents."
    )


def _denser(best: PrunePoint) -> str:
    denser = best.differences["denser"]
    beats = "also beats" if denser.low > 0 else "does not beat"
    return f"; it {beats} the next denser one as trained {_signed(denser)})"


def _controls(best: PrunePoint) -> str:
    words = {
        "same_frequency": "random features of the same summed frequency killed instead",
        "randomised": "the same on the randomised model",
    }
    values = {text: best.differences[key].value for key, text in words.items() if key in best.differences}
    known = [f"{text} {'undefined' if math.isnan(value) else f'{value:+.4f}'}" for text, value in values.items()]
    return f" (controls: {'; '.join(known)})" if known else " (no control can be compared at its L0)"


def _tally(points: tuple[PrunePoint, ...]) -> str:
    verdicts = [verdict_of(point.differences["pruned"]) for point in points if "pruned" in point.differences]
    counts = f"{verdicts.count('yes')} above, {verdicts.count('no')} below, {verdicts.count('undecided')} undecided"
    return f"{len(verdicts)} comparable points ({counts}, not corrected for their number)"


def _signed(difference: Finding) -> str:
    """Value and interval, the bracket left open."""
    return f"{difference.value:+.4f} (95% {difference.low:+.4f}..{difference.high:+.4f}"
