"""Fidelity and frequencies of dictionaries beside those of their controls.

fidelity      metrics of the scorecard, each less its control's, paired over the same documents
frequencies   histograms over log10 of the frequency, with the distance in decades to the dictionary's own
"""

from collections.abc import Mapping, Sequence

from monosema.evaluation.check_terms import FIDELITY
from monosema.evaluation.checks import Frequencies, Measure, Missing, distance_of
from monosema.evaluation.config import ScoreConfig
from monosema.evaluation.contrasts import paired
from monosema.evaluation.measuring import Measured, Tally, measure, prepare
from monosema.evaluation.scorecard import HISTOGRAM_EDGES
from monosema.evaluation.subjects import Dictionary, Model, Tokens


def measured_at(
    dictionaries: Mapping[str, Dictionary], model: Model, tokens: Tokens, config: ScoreConfig, what: str
) -> Measured:
    """FIDELITY and frequencies of every dictionary on `tokens` read by `model`."""
    return measure(prepare(dictionaries, model, tokens, config), dictionaries, tuple(FIDELITY), what)


def fidelity(
    of: str, own: Tally, beside: Mapping[str, Tally], missing: Sequence[Missing], seed: int
) -> tuple[Measure, ...]:
    """A measure for each of FIDELITY; `beside` are the controls, `missing` those that there are none of."""
    results = own.results()
    others = {control: tally.results() for control, tally in beside.items()}
    found = []
    for metric in FIDELITY:
        estimate = results[metric].estimate(seed)
        contrasts = tuple(paired(control, results[metric], other[metric], seed) for control, other in others.items())
        ends = (estimate.value, estimate.low, estimate.high, estimate.n, estimate.unit)
        found.append(Measure(metric, of, *ends, contrasts, tuple(missing)))
    return tuple(found)


def frequencies(own: Tally, beside: Mapping[str, Tally]) -> tuple[Frequencies, ...]:
    """The histogram of the dictionary itself (side ''), then those of its controls."""
    sides = {"": own, **beside}
    histograms = {side: tally.frequencies.histogram(HISTOGRAM_EDGES) for side, tally in sides.items()}
    counts = histograms[""][0]
    return tuple(
        Frequencies(side, HISTOGRAM_EDGES, its, dead, distance_of(HISTOGRAM_EDGES, counts, its))
        for side, (its, dead) in histograms.items()
    )
