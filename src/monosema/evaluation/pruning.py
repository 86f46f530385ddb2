"""The prune study: kill every feature of frequency above a threshold, and score again.

    L0 after = L0 before - sum of the killed frequencies        on the same tokens, exactly

Swept over thresholds and over dictionaries (of different L1 penalties), it asks whether too low a
penalty with pruning beats a higher penalty at the same L0. What to kill, and which point is best,
is chosen on one half of the documents; everything that is reported is measured on the other half.
"""

import math
from collections.abc import Mapping

from torch import Tensor

from monosema.core.findings import Finding
from monosema.evaluation.comparing import Results, bracket, difference, difference_to_line
from monosema.evaluation.config import PruneConfig
from monosema.evaluation.documents import Terms
from monosema.evaluation.killing import Halves, split_documents
from monosema.evaluation.measuring import prepare
from monosema.evaluation.metrics import METRICS
from monosema.evaluation.prune_study import PrunePoint, PruneStudy, answer_of, verdict_of
from monosema.evaluation.scorecard import SKIPPED, MetricInfo
from monosema.evaluation.scoring import Control, finding
from monosema.evaluation.subjects import Dictionary, Model, Tokens
from monosema.evaluation.sweep import PRUNE_METRICS, Cut, Sweep, sweep_control, sweep_subject

RANDOM_IS = "is itself a control"
SAME_FREQUENCY_IS = "random features of the same summed frequency killed instead"
BOUND_IS = "none: a bound on the difference beside it"


def prune(
    dictionaries: Mapping[str, Dictionary],
    model: Model,
    tokens: Tokens,
    control: Control | None,
    config: PruneConfig,
) -> PruneStudy:
    """The study on `dictionaries`, which should differ in their penalty only, at every threshold.

    The same sweep runs on the control's dictionaries and model, joined by name; `control=None` is a
    user's decision to go without. Raises as `score` does, and DataError for fewer than four documents.
    """
    prepared = prepare(dictionaries, model, tokens, config.score)
    halves = split_documents(prepared, config.score.seed)
    sweep = sweep_subject(prepared, dictionaries, halves, config)
    beside = None
    if control is not None:
        prepared_control = prepare(control.dictionaries, control.model, tokens, config.score)
        beside = sweep_control(prepared_control, control.dictionaries, halves, config)
    control_is = control.what if control else SKIPPED
    judge = _Judge(sweep, beside, halves, config, control_is)
    shown = [cut for cut, killed in sweep.killed.items() if not cut.random and (cut.above is None or killed.any())]
    points = tuple(judge.point(cut, dictionaries[cut.dictionary].architecture) for cut in shown)
    best = judge.best(shown)
    best_point = next((p for p in points if best and (p.dictionary, p.above) == (best.dictionary, best.above)), None)
    return PruneStudy(
        points=points,
        metric=config.metric,
        metrics={
            name: MetricInfo(METRICS[name].formula, METRICS[name].unit, METRICS[name].better) for name in PRUNE_METRICS
        },
        best=(best_point.dictionary, best_point.above) if best_point and best_point.above is not None else None,
        verdict=verdict_of(best_point.differences["pruned"] if best_point else None),
        answer=answer_of(points, best_point, config.metric),
        model=model.name,
        control_is=control_is,
        n_tokens=sweep.n_tokens,
        n_choosing=len(halves.choosing),
        n_judging=len(halves.judging),
    )


class _Judge:
    """Turns a sweep into points, from the judging half; and picks the best cut, from the choosing half."""

    def __init__(
        self, sweep: Sweep, beside: Sweep | None, halves: Halves, config: PruneConfig, control_is: str
    ) -> None:
        self.sweep, self.beside, self.halves, self.config, self.control_is = sweep, beside, halves, config, control_is
        self.seed, self.metric = config.score.seed, config.metric

    def point(self, cut: Cut, architecture: str) -> PrunePoint:
        """The cut with its random rival and its differences."""
        killed, rates = self.sweep.killed[cut], self.sweep.rates[cut.dictionary]
        random = Cut(cut.dictionary, cut.above, random=True)
        return PrunePoint(
            dictionary=cut.dictionary,
            architecture=architecture,
            above=cut.above,
            n_killed=int(killed.sum()),
            killed_frequency=float(rates.judging[killed].sum()),
            findings=self._findings(cut),
            same_frequency=self._random(random),
            differences={} if cut.above is None else self._differences(cut, random),
        )

    def best(self, cuts: list[Cut]) -> Cut | None:
        """The cut with the largest difference on the choosing half, of those comparable on both halves."""
        values: dict[Cut, float] = {}
        for cut in cuts:
            on_halves = [self._to_line(self.sweep, cut, half) for half in (self.halves.choosing, self.halves.judging)]
            found = [terms.value() for terms in on_halves if terms is not None]
            if cut.above is not None and len(found) == 2 and all(map(math.isfinite, found)):
                values[cut] = found[0]
        return max(values, key=lambda cut: values[cut], default=None)

    def _findings(self, cut: Cut) -> dict[str, Finding]:
        control: Results = self.beside.results.get(cut, {}) if self.beside else {}
        absent = f"the control has no dictionary '{cut.dictionary}'"
        control_is = self.control_is if control or not self.beside else absent
        return {
            name: finding(
                name,
                terms.of(self.halves.judging).estimate(self.seed),
                control[name].of(self.halves.judging).value() if name in control else None,
                control_is,
            )
            for name, terms in self.sweep.results[cut].items()
        }

    def _random(self, cut: Cut) -> dict[str, Finding]:
        results = self.sweep.results.get(cut, {})
        judged = {name: terms.of(self.halves.judging).estimate(self.seed) for name, terms in results.items()}
        return {name: finding(name, estimate, None, RANDOM_IS) for name, estimate in judged.items()}

    def _differences(self, cut: Cut, random: Cut) -> dict[str, Finding]:
        """Every difference that can be made on the judging half, by the names of PrunePoint."""
        judging = self.halves.judging
        pruned = self._to_line(self.sweep, cut, judging)
        neighbours = self._neighbours(self.sweep, cut, judging)
        if pruned is None or neighbours is None:
            return {}
        denser = difference(self.sweep.results[cut], self.sweep.results[neighbours[1]], self.metric).of(judging)
        others = {
            "same_frequency": self._to_line(self.sweep, random, judging),
            "randomised": self._to_line(self.beside, cut, judging) if self.beside else None,
        }
        known = {name: self._difference(terms, None, RANDOM_IS) for name, terms in others.items() if terms is not None}
        control = known["same_frequency"].value if "same_frequency" in known else None
        control_is = SAME_FREQUENCY_IS if control is not None else f"{SAME_FREQUENCY_IS}: not comparable at its L0"
        return {
            "pruned": self._difference(pruned, control, control_is),
            "denser": self._difference(denser, None, BOUND_IS),
            **known,
        }

    def _difference(self, terms: Terms, control: float | None, control_is: str) -> Finding:
        return finding(f"difference in {self.metric}", terms.estimate(self.seed), control, control_is)

    def _neighbours(self, sweep: Sweep, cut: Cut, documents: Tensor) -> tuple[Cut, Cut] | None:
        l0 = {other: sweep.results[other]["l0"].of(documents).value() for other in [cut, *sweep.trained()]}
        return bracket(l0[cut], {other: l0[other] for other in sweep.trained()})

    def _to_line(self, sweep: Sweep, cut: Cut, documents: Tensor) -> Terms | None:
        """The cut's difference to its sweep's line, of these documents; None where there is no line."""
        neighbours = self._neighbours(sweep, cut, documents) if cut in sweep.results else None
        if neighbours is None:
            return None
        sparser, denser = (sweep.results[other] for other in neighbours)
        return difference_to_line(sweep.results[cut], sparser, denser, self.metric).of(documents)
