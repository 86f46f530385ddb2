"""The frontier: what each dictionary keeps of the model, against how many features it takes.

l0     12.1   variance explained 0.71   loss recovered 0.83   l1_heavy
l0     31.9   variance explained 0.84   loss recovered 0.91   topk32
"""

from dataclasses import dataclass

from monosema.core.findings import Finding
from monosema.evaluation.scorecard import Scorecard


@dataclass(frozen=True)
class FrontierPoint:
    """One dictionary on the frontier, each number with its interval and control."""

    dictionary: str
    architecture: str
    l0: Finding
    variance_explained: Finding
    loss_recovered_zero: Finding
    loss_recovered_mean: Finding


def frontier(scorecard: Scorecard) -> tuple[FrontierPoint, ...]:
    """A point for each dictionary of the scorecard, sparsest first."""
    points = [
        FrontierPoint(
            name,
            scorecard.architectures[name],
            findings["l0"],
            findings["variance_explained"],
            findings["loss_recovered_zero"],
            findings["loss_recovered_mean"],
        )
        for name, findings in scorecard.findings.items()
    ]
    return tuple(sorted(points, key=lambda point: (point.l0.value, point.dictionary)))
