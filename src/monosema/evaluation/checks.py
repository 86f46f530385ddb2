"""What a check says: measurements side by side with their controls, and what may be claimed of them. Plain values.

    Measure    a value with its interval                                   Contrast   the same on a control
    Condition  a metric, a control, and how far apart they must be         Claim      conditions that must all hold
    Verdict    supported, not supported or not measured; why; and the sentence that may be written

They go to JSON and come back by `core.config`. Imports no tensors, so that a page can read it.
"""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["supported", "not supported", "not measured"]

OWN, TWIN = "as it is", "as long as its controls"
"""Of what a measure is: the dictionary of the run, or the same recipe on as few rows as the controls that were
trained for the check. A claim that needs such a control must hold of both."""


@dataclass(frozen=True)
class Contrast:
    """The value on a control, and the value less it with its 95% interval (not a number where there is none)."""

    control: str
    value: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Missing:
    """A control that a measure does not have, and why."""

    control: str
    why: str


@dataclass(frozen=True)
class Measure:
    """One metric of one dictionary. `low` and `high` are equal to the value where nothing was sampled."""

    metric: str
    of: str
    value: float
    low: float
    high: float
    n: int
    unit: str
    contrasts: tuple[Contrast, ...] = ()
    missing: tuple[Missing, ...] = ()

    def beside(self, control: str) -> Contrast | None:
        """The contrast with `control`, if there is one."""
        return next((contrast for contrast in self.contrasts if contrast.control == control), None)


@dataclass(frozen=True)
class MetricSaid:
    """A metric as the page names it: in words, with its formula, its unit and what of it is better."""

    metric: str
    words: str
    group: str
    formula: str
    unit: str
    better: str


@dataclass(frozen=True)
class ControlSaid:
    """A control as the page names it: in a few words, and exactly what is done."""

    control: str
    words: str
    what: str


@dataclass(frozen=True)
class Frequencies:
    """How many features fire how often; `distance` in decades to the dictionary's own (see `distance_of`)."""

    side: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    dead: int
    distance: float


@dataclass(frozen=True)
class Verdict:
    """Of one claim on one dictionary. `reasons`: every condition with its numbers; `sentence`: what one may write."""

    claim: str
    says: str
    outcome: Outcome
    rule: str
    reasons: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Checked:
    """One dictionary: its measures, its frequencies beside its controls', its verdicts."""

    dictionary: str
    architecture: str
    recipe: str
    measures: tuple[Measure, ...]
    frequencies: tuple[Frequencies, ...]
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class Check:
    """Everything that a check found.

    rows         activations that each control trained for the check saw; recipe_rows: the dictionaries of the run
    seeds        other seeds that each dictionary was trained with
    """

    dictionaries: tuple[Checked, ...]
    metrics: tuple[MetricSaid, ...]
    controls: tuple[ControlSaid, ...]
    model: str
    n_tokens: int
    n_documents: int
    rows: int
    recipe_rows: int
    seeds: int

    def checked(self, name: str) -> Checked:
        """The dictionary called `name`."""
        return next(checked for checked in self.dictionaries if checked.dictionary == name)


def distance_of(edges: tuple[float, ...], counts: tuple[int, ...], other: tuple[int, ...]) -> float:
    """The first Wasserstein distance between two histograms over log10 of the frequency, in decades: by how much
    frequencies would have to be shifted on average. Not a number when either is empty."""
    if not sum(counts) or not sum(other):
        return float("nan")
    total, own, theirs = 0.0, 0, 0
    for i in range(len(counts)):
        own, theirs = own + counts[i], theirs + other[i]
        total += abs(own / sum(counts) - theirs / sum(other)) * (edges[i + 1] - edges[i])
    return total
