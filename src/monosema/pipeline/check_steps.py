"""The measuring of a check, step by step: each side where it belongs, then value less control.

place        model                  text                  dictionaries
text         the run's              held out              own, twin, random directions, trained on shuffled text
randomised   its random weights     held out              the recipe there
shuffled     the run's              held out, shuffled    the recipe there
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
from torch import Tensor

from monosema import activations
from monosema.core.runs import Run
from monosema.corpus.views import ShuffledTokens, SomeBlocks, Tokens
from monosema.dictionaries import Dictionary
from monosema.evaluation.checks import OWN, TWIN, Contrast, Frequencies, Measure, Missing
from monosema.evaluation.config import ScoreConfig
from monosema.evaluation.contrasts import matched, mean_over, unpaired, welch
from monosema.evaluation.measuring import Tally, end_to_end
from monosema.evaluation.random_decoder import ROWS, random_decoder, why_undefined
from monosema.evaluation.side_by_side import fidelity, frequencies, measured_at
from monosema.evaluation.stability import MEASURES, Found, find_again, over_seeds, random_directions
from monosema.features.traits import TraitConfig, Traits, traits
from monosema.models import Model
from monosema.pipeline.check_config import CheckConfig
from monosema.pipeline.sides import Recipe, Sides
from monosema.pipeline.subject import Subject, subject_config

OF_FEATURES = ("foretells", "importance", "floor_r", "floor_f1")
PER_TOKENS = 1000
"""Importance is said in nats per so many tokens."""

ON_THE_TEXT = ("random", "randomised", "shuffled", "shuffled_on_text")


@dataclass(frozen=True)
class Place:
    """Where some dictionaries are measured together: `model` reading `tokens`."""

    dictionaries: Mapping[str, Dictionary]
    model: Model
    tokens: Tokens


@dataclass(frozen=True)
class Compared:
    """A run's dictionaries and everything that they are compared with."""

    run: Run
    subject: Subject
    recipe: Recipe
    sides: Sides
    config: CheckConfig

    @property
    def names(self) -> list[str]:
        return list(self.subject.dictionaries)

    @cached_property
    def random(self) -> dict[str, Dictionary]:
        """The counterpart of random directions, of those that have one."""
        able = {name: d for name, d in self.subject.dictionaries.items() if not why_undefined(d)}
        rows = self._rows({site for d in able.values() for site in d.reads}) if able else {}
        return {name: random_decoder(d, end_to_end(rows, d.reads), self.config.seed) for name, d in able.items()}

    def _rows(self, sites: Iterable[str]) -> dict[str, Tensor]:
        """Rows of the training text."""
        train, config = self.subject.packed.train, subject_config(self.run)
        some = SomeBlocks.evenly(train, 2 * ROWS // train.context + 1)
        source = activations.stream(self.subject.model, some, sorted(sites), config.harvest)
        batch = next(islice(source.batches(min(ROWS, source.n_rows), self.config.seed), 1))
        return batch.activations

    @cached_property
    def places(self) -> dict[str, Place]:
        """Every place that has a dictionary; keys are side/name."""
        subject, sides = self.subject, self.sides
        held_out = subject.packed.held_out
        text = {"own": subject.dictionaries, "random": self.random, "twin": sides.twin}
        found = {"text": Place(_keyed(text | {"shuffled_on_text": sides.shuffled}), subject.model, held_out)}
        control = {name: d for name, d in sides.control.items() if name in subject.dictionaries}
        if control and sides.control_model is not None:
            found["randomised"] = Place(_keyed({"randomised": control}), sides.control_model, held_out)
        if sides.shuffled:
            shuffled = ShuffledTokens(held_out)
            found["shuffled"] = Place(_keyed({"shuffled": sides.shuffled}), subject.model, shuffled)
        return found

    def missing(self, name: str, there: Iterable[str]) -> list[Missing]:
        """The controls that `name` does not have, and why."""
        return [Missing(control, self._why(name, control)) for control in ON_THE_TEXT if control not in there]

    def _why(self, name: str, control: str) -> str:
        if control == "random":
            return why_undefined(self.subject.dictionaries[name])
        return self.why_untrained(name, control)

    def why_untrained(self, name: str, control: str) -> str:
        """Why there is no dictionary of this name on a side that would be trained."""
        if control == "randomised" and self.subject.control is not None:
            return f"the run's control has no dictionary '{name}'"
        if self.config.quick:
            return "--quick trains nothing"
        if not self.recipe.said(name):
            return "its recipe is not known: an earlier command than the last `monosema train` made it"
        return "its training diverged"


def _keyed(sides: Mapping[str, Mapping[str, Dictionary]]) -> dict[str, Dictionary]:
    return {f"{side}/{name}": d for side, by_name in sides.items() for name, d in by_name.items()}


@dataclass(frozen=True)
class Fidelity:
    """By dictionary; scored on `n_tokens` held-out positions of `n_documents` documents."""

    measures: dict[str, tuple[Measure, ...]]
    frequencies: dict[str, tuple[Frequencies, ...]]
    n_tokens: int
    n_documents: int


def fidelity_step(compared: Compared) -> Fidelity:
    """Metrics and frequencies of every dictionary beside its controls'."""
    config = ScoreConfig(max_tokens=compared.config.max_tokens, seed=compared.config.seed)
    found = {
        place: measured_at(where.dictionaries, where.model, where.tokens, config, f"check: {place}")
        for place, where in compared.places.items()
    }
    tallies = {key: tally for measured in found.values() for key, tally in measured.tallies.items()}
    measures, histograms = {}, {}
    for name in compared.names:
        own, beside = tallies[f"own/{name}"], _beside(tallies, name)
        measures[name] = fidelity(OWN, own, beside, compared.missing(name, beside), config.seed)
        histograms[name] = frequencies(own, beside)
        if f"twin/{name}" in tallies:
            as_short = ("shuffled", "shuffled_on_text", *(("randomised",) if compared.sides.control_is_short else ()))
            fair = {control: tally for control, tally in beside.items() if control in as_short}
            measures[name] += fidelity(TWIN, tallies[f"twin/{name}"], fair, (), config.seed)
    text = found["text"]
    return Fidelity(measures, histograms, text.n_tokens, text.n_documents)


def _beside(tallies: Mapping[str, Tally], name: str) -> dict[str, Tally]:
    return {side: tallies[f"{side}/{name}"] for side in ON_THE_TEXT if f"{side}/{name}" in tallies}


def features_step(compared: Compared) -> dict[str, tuple[Measure, ...]]:
    """Scores of features drawn at random from every dictionary, beside those drawn from its controls."""
    c = compared.config
    config = TraitConfig(c.max_tokens, c.n_features, c.n_important, seed=c.seed)
    drawn: dict[str, Traits] = {}
    for where in compared.places.values():
        its = {key: d for key, d in where.dictionaries.items() if not key.startswith("twin/")}
        drawn |= traits(its, where.model, where.tokens, config)
    found = {}
    for name in compared.names:
        own = drawn[f"own/{name}"]
        beside = {side: drawn[f"{side}/{name}"] for side in ON_THE_TEXT if f"{side}/{name}" in drawn}
        missing = tuple(compared.missing(name, beside))
        found[name] = tuple(_of_features(metric, own, beside, missing, c.seed) for metric in OF_FEATURES)
    return found


def _of_features(
    metric: str, own: Traits, beside: Mapping[str, Traits], missing: tuple[Missing, ...], seed: int
) -> Measure:
    scale = PER_TOKENS if metric == "importance" else 1
    values = scale * own.values[metric]
    contrasts: list[Contrast] = [
        unpaired(side, values, scale * its.values[metric], seed) for side, its in beside.items()
    ]
    if metric == "importance":
        contrasts.append(matched("same_place", values, scale * own.values["random_direction"], seed))
    ends = mean_over(values, seed)
    n = int((~np.isnan(values)).sum())
    return Measure(metric, OWN, *ends, n, "features", tuple(contrasts), missing)


def stability_step(compared: Compared) -> dict[str, tuple[Measure, ...]]:
    """Every dictionary's features among those of other seeds; nothing where none were trained."""
    return {name: _stability(compared, name) for name in compared.names}


def _stability(compared: Compared, name: str) -> tuple[Measure, ...]:
    sides, seed = compared.sides, compared.config.seed
    bases = {
        "own": (compared.subject.dictionaries, "trained"),
        "randomised": (sides.control, "randomised"),
        "shuffled": (sides.shuffled, "shuffled"),
    }
    pairs = {
        side: _again(by_name[name].W_dec, sides.again.get(group, {}), name)
        for side, (by_name, group) in bases.items()
        if name in by_name
    }
    if not pairs.get("own"):
        return ()
    n, d = compared.subject.dictionaries[name].W_dec.shape
    others = {k: by_name[name] for k, by_name in sides.again["trained"].items() if name in by_name}
    pairs["directions"] = [find_again(random_directions(n, d, seed, k), o.W_dec) for k, o in others.items()]
    estimates = over_seeds(pairs["own"], seed)
    there = {side: found for side, found in pairs.items() if side != "own" and found}
    wanted = ("randomised", "shuffled")
    missing = tuple(Missing(side, compared.why_untrained(name, side)) for side in wanted if side not in there)
    return tuple(
        Measure(
            metric, OWN, e.value, e.low, e.high, e.n, e.unit,
            tuple(welch(side, _each(pairs["own"], metric), _each(found, metric)) for side, found in there.items()),
            missing,
        )
        for metric, e in estimates.items()
    )  # fmt: skip


def _again(decoder: Tensor, seeds: Mapping[int, Mapping[str, Dictionary]], name: str) -> list[Found]:
    return [find_again(decoder, by_name[name].W_dec) for by_name in seeds.values() if name in by_name]


def _each(pairs: list[Found], metric: str) -> list[float]:
    assert metric in MEASURES
    return [pair.values()[metric] for pair in pairs]
