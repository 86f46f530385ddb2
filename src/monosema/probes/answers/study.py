"""Every method at every site beside every control: computed here, shown by `showing`.

fit          probes, their random and shuffled twins
validation   which site is a method's best, which method is the best; calibration
test         every number
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float64
from torch import Tensor

from monosema.core.findings import Finding
from monosema.core.progress import progress
from monosema.probes.calibrating import Reliability, calibrate, reliability
from monosema.probes.data import Contrast, Data
from monosema.probes.distractors import Which, which
from monosema.probes.ensembles import ensemble
from monosema.probes.fitting import fit, fit_restarts
from monosema.probes.judging import ControlConfig, Judged, judge
from monosema.probes.layers import LayerCurves
from monosema.probes.settings import CCSConfig
from monosema.probes.table import PROBES, config_of, method_of
from monosema.probes.transfers import Transfer, transfer


@dataclass(frozen=True)
class Activations:
    """A set's rows by site: to fit on, to choose on, to measure on."""

    fit: Mapping[str, Data]
    validation: Mapping[str, Data]
    test: Mapping[str, Data]


@dataclass(frozen=True, eq=False)
class Material:
    """What is studied: `sets` by name, the first in full, the others for transfer; `randomised` is the first as the
    model with nothing learnt reads it; distractor: the labels of its three parts, or None."""

    sets: Mapping[str, Activations]
    randomised: Activations
    distractor: tuple[Tensor, Tensor, Tensor] | None

    @property
    def first(self) -> Activations:
        return next(iter(self.sets.values()))

    @property
    def sites(self) -> tuple[str, ...]:
        return tuple(self.first.fit)

    @property
    def paired(self) -> bool:
        return isinstance(self.first.fit[self.sites[0]], Contrast)


@dataclass(frozen=True)
class Together:
    """An ensemble: of `what` (sites, restarts); accuracy and Brier score beside its members' alone, and `best`, the
    one member that validation would choose."""

    what: str
    accuracy: Finding
    brier: Finding
    best: float


@dataclass(frozen=True)
class Of:
    """What was found by one method. best: the site with the highest validation accuracy, the first of several.

    randomised    by site, the accuracy on the same rows as the randomised model reads them, fitted there
    which         by site, truth or distractor, where there is one
    together      sites together; None where there is one site
    """

    method: str
    supervised: bool
    judged: Mapping[str, Judged]
    validation: Mapping[str, float]
    randomised: Mapping[str, Finding]
    which: Mapping[str, Which]
    best: str
    reliability: Reliability
    brier: float
    together: Together | None

    @property
    def at_best(self) -> Judged:
        return self.judged[self.best]

    @property
    def controls(self) -> dict[str, float]:
        """What the accuracy at the best site has to be above: of draws the end of their range, of shuffled labels
        their mean (where one direction holds most of what varies they find it too, with either sign)."""
        found = self.at_best
        return {
            "the commoner class": found.accuracy.control or 0.0,
            "97.5% of random directions": found.random.high,
            "shuffled labels, on average": found.shuffled.mean,
            "the randomised model": self.randomised[self.best].value,
        }

    @property
    def finding(self) -> Finding:
        """The accuracy at the best site beside the highest of its controls."""
        name, value = max(self.controls.items(), key=lambda pair: pair[1])
        found = self.at_best.accuracy
        what = f"accuracy of {self.method} at {self.best}"
        return Finding(what, found.value, value, f"the highest: {name}", found.low, found.high, found.n, found.unit)

    @property
    def shown(self) -> bool:
        """Whether its interval lies above every control."""
        return self.finding.low > max(self.controls.values())


@dataclass(frozen=True)
class Study:
    """of: methods in their order. skipped: those that need pairs, of statements. restarts: of CCS at its best site."""

    sites: tuple[str, ...]
    paired: bool
    n_rows: tuple[int, int, int]
    controls: ControlConfig
    of: Mapping[str, Of]
    skipped: tuple[str, ...]
    restarts: Together | None
    transfers: tuple[Transfer, ...]
    across_sites: bool

    @property
    def best(self) -> Of:
        """The method with the highest validation accuracy, the first of several, random directions aside."""
        return self.best_where(lambda found: found.method != "random") or next(iter(self.of.values()))

    def best_where(self, holds: Callable[[Of], bool]) -> Of | None:
        found = [one for one in self.of.values() if holds(one)]
        return max(found, key=lambda one: one.validation[one.best], default=None)

    def layers(self) -> LayerCurves:
        return LayerCurves(self.sites, {name: found.judged for name, found in self.of.items()})


def chosen_methods(names: Sequence[str], paired: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(methods, those left out): `all` stands for every method that such rows allow. Raises ConfigError."""
    if "all" not in names:
        for name in names:
            config_of(name)
        return tuple(names), ()
    allowed = [name for name, method in PROBES.items() if paired or not method.pairs]
    own = [name for name in names if name != "all" and name not in PROBES]
    for name in own:
        config_of(name)
    return (*allowed, *own), tuple(name for name in PROBES if name not in allowed)


def study(names: Sequence[str], material: Material, controls: ControlConfig, seed: int = 0) -> Study:
    """Fit and measure the methods called `names`. Raises as `fit` does."""
    methods, skipped = chosen_methods(names, material.paired)
    of: dict[str, Of] = {}
    with progress("probes", len(methods), "method") as bar:
        for name in methods:
            found = _of(config_of(name), material, controls, seed)
            of[found.method] = found
            bar.advance(note=found.method)
    first, sites = material.first, material.sites
    n_rows = (len(first.fit[sites[0]]), len(first.validation[sites[0]]), len(first.test[sites[0]]))
    restarts = _restarts(config_of("ccs"), first, of["ccs"].best, seed) if "ccs" in of else None
    across = len(material.sets) == 1
    whole = Study(sites, material.paired, n_rows, controls, of, skipped, restarts, (), across)
    heads = [whole.best_where(lambda one: one.supervised), whole.best_where(_without_labels)]
    moved = tuple(
        _moved(config_of(head.method), material, head.best, controls, seed) for head in heads if head is not None
    )
    return Study(sites, material.paired, n_rows, controls, of, skipped, restarts, moved, across)


def _without_labels(one: Of) -> bool:
    return not one.supervised and one.method != "random"


def _of(config: Any, material: Material, controls: ControlConfig, seed: int) -> Of:
    name, method = method_of(config)
    data, other, planted = material.first, material.randomised, material.distractor
    asked = None if planted is None else (planted[0], planted[2])
    judged, validation, randomised, found = {}, {}, {}, {}
    for site in material.sites:
        judged[site] = judge(config, data.fit[site], data.test[site], controls, seed, asked)
        validation[site] = judged[site].probe.accuracy(data.validation[site]).value
        randomised[site] = fit(config, other.fit[site], seed).accuracy(other.test[site])
        if planted is not None:
            found[site] = which(judged[site].probe, data.test[site], planted[2])
    best = max(material.sites, key=lambda site: validation[site])
    probe = judged[best].probe
    p = calibrate(probe, data.validation[best])(probe.score(data.test[best]))
    y = data.test[best].y
    together = _sites_together(judged, data, best) if len(material.sites) > 1 else None
    return Of(
        name,
        method.supervised,
        judged,
        validation,
        randomised,
        found,
        best,
        reliability(p, y),
        _brier(p, y),
        together,
    )


def _brier(p: Float64[Tensor, "n"], y: Tensor) -> float:
    return float((p - y.double()).square().mean())


def _sites_together(judged: Mapping[str, Judged], data: Activations, best: str) -> Together:
    members = [one.probe for one in judged.values()]
    both = ensemble(members, list(data.validation.values()))
    test = list(data.test.values())
    return Together("sites", both.accuracy(test), both.brier(test), judged[best].accuracy.value)


def _restarts(config: CCSConfig, data: Activations, site: str, seed: int) -> Together | None:
    """All restarts of CCS at its best site, and the one with the lowest loss, which is the one it keeps."""
    train, validation, test = data.fit[site], data.validation[site], data.test[site]
    assert isinstance(train, Contrast)
    probes = fit_restarts(config, train, seed)
    if len(probes) < 2:
        return None
    both = ensemble(probes, [validation] * len(probes))
    tests = [test] * len(probes)
    return Together("restarts", both.accuracy(tests), both.brier(tests), probes[0].accuracy(test).value)


def _moved(config: Any, material: Material, site: str, controls: ControlConfig, seed: int) -> Transfer:
    """Between the sets at `site`; of one set, between its sites."""
    if len(material.sets) == 1:
        train, test = material.first.fit, material.first.test
    else:
        train = {name: one.fit[site] for name, one in material.sets.items()}
        test = {name: one.test[site] for name, one in material.sets.items()}
    return transfer(config, train, test, controls.permutations, seed)
