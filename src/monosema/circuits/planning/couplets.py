"""The experiment `couplets`: models that must plan, that cannot, and that need not, all measured alike."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from monosema.circuits.planning.changes import Changes, changed
from monosema.circuits.planning.features import Planned, dictionary_of, planned
from monosema.circuits.planning.learning import NOTHING, Batch, learn, untrained
from monosema.circuits.planning.probing import probed
from monosema.circuits.planning.routes import share_by_exchange, share_by_gradients
from monosema.circuits.planning.settings import PlanningConfig
from monosema.circuits.planning.sight import Reader
from monosema.circuits.planning.traces import Traces, traced
from monosema.circuits.planning.transplants import Scene, Transplants, scene, transplanted
from monosema.circuits.planning.writing import losses
from monosema.core.exhibits import Exhibit
from monosema.corpus.plans.config import SIGHTS, CoupletsConfig, Sight
from monosema.corpus.plans.couplets import END, NEWLINE, OTHER_TOPIC, Couplets, Verses

QUESTION = "Is the end of a line planned where the line begins, and how would one know?"

LONGER = 3
"""Halves of the steps that two candidates take."""


@dataclass(frozen=True)
class Featured:
    """The features of plans at the newline, and what became of lines when they were changed."""

    planned: Planned
    changes: Changes


@dataclass(frozen=True)
class Measured:
    """One model of one sight, on couplets it was not trained on.

    losses, least    nats of t1, t2, t3 and E of every couplet, and the least that its sight allows
    probed           see `probing.probed`; `blank`, the same of a model with nothing learnt
    by_gradients     share of the first line's influence that passes the newline; `beside`, the token before the rhyme
    by_exchange      the same by exchanging first lines
    traces           graphs of some of the couplets
    """

    sight: Sight
    scene: Scene
    losses: Float[Tensor, "n 4"]
    least: Float[Tensor, "n 4"]
    plants: Transplants
    probed: Bool[Tensor, "place layer m"]
    blank: Bool[Tensor, "place layer m"]
    by_gradients: Float[Tensor, "n"]
    beside: Float[Tensor, "n"]
    by_exchange: Float[Tensor, "n"]
    features: Featured | None
    traces: Traces


@dataclass(frozen=True)
class Chosen:
    """A planner of couplets with two candidates: its transplants, and what its features do."""

    scene: Scene
    plants: Transplants
    features: Featured


@dataclass(frozen=True)
class Experiment:
    """Everything that was measured: a model a seed of every sight, and of planners with two candidates."""

    measured: tuple[Measured, ...]
    chosen: tuple[Chosen, ...]

    def of(self, sight: Sight) -> Sequence[Measured]:
        """The models of one sight."""
        return [one for one in self.measured if one.sight == sight]


def couplets(config: PlanningConfig) -> Exhibit:
    """Train everything, measure it and say what was seen."""
    return shown(config, run(config))


def shown(config: PlanningConfig, experiment: Experiment) -> Exhibit:
    """What was seen."""
    from monosema.circuits.planning.panels import panels
    from monosema.circuits.planning.saying import answer, findings, how

    found = findings(experiment)
    return Exhibit(
        "couplets", QUESTION, answer(experiment, found), panels(experiment), found, config, how(config), "planning"
    )


def run(config: PlanningConfig) -> Experiment:
    """Train and measure."""
    one, two = Couplets(CoupletsConfig(1)), Couplets(CoupletsConfig(2))
    seeds = range(config.seed, config.seed + config.models)
    measured = tuple(_measured(config, one, sight, seed) for sight in SIGHTS for seed in seeds)
    return Experiment(measured, tuple(_chosen(config, two, seed) for seed in seeds))


def reader_of(config: PlanningConfig, language: Couplets, sight: Sight, seed: int) -> Reader:
    """A model of `sight`, trained on the second lines; with two candidates half as long again."""
    name, learning = sight, config.learning
    if language.config.candidates > 1:
        name, learning = f"{sight}, two candidates", replace(learning, steps=LONGER * learning.steps // 2)
    sees = language.sees(sight)
    return learn(name, len(language.words), lambda n, g: _batch(language.draw(n, g)), sees, learning, seed)


def _batch(verses: Verses) -> Batch:
    tokens = verses.tokens[:, :END]
    targets = torch.full_like(tokens, NOTHING)
    targets[:, NEWLINE:] = verses.tokens[:, NEWLINE + 1 :]
    return tokens, targets


def _measured(config: PlanningConfig, language: Couplets, sight: Sight, seed: int) -> Measured:
    reader = reader_of(config, language, sight, seed)
    stage = scene(reader, language, config.couplets, seed)
    return Measured(
        sight=sight,
        scene=stage,
        losses=losses(reader, stage.verses),
        least=language.foretold(stage.verses, sight),
        plants=transplanted(stage, seed),
        probed=probed(reader, language, seed),
        blank=probed(untrained(sight, len(language.words), reader.sees, config.learning, seed), language, seed),
        by_gradients=share_by_gradients(stage),
        beside=share_by_gradients(stage, OTHER_TOPIC),
        by_exchange=share_by_exchange(stage),
        features=None if sight == "no plan" else _featured(config, stage, seed),
        traces=traced(config, stage, f"{sight.replace(' ', '-')}{_numbered(config, seed)}", seed),
    )


def _numbered(config: PlanningConfig, seed: int) -> str:
    """Which model of several it is, for the names of its graphs."""
    return "" if config.models == 1 else f"-model-{seed - config.seed}"


def _chosen(config: PlanningConfig, language: Couplets, seed: int) -> Chosen:
    reader = reader_of(config, language, "planner", seed)
    stage = scene(reader, language, config.couplets, seed)
    return Chosen(stage, transplanted(stage, seed), _featured(config, stage, seed))


def _featured(config: PlanningConfig, stage: Scene, seed: int) -> Featured:
    dictionary = dictionary_of(stage.reader, stage.language, config.dictionary, seed)
    found = planned(stage.reader, stage.language, dictionary, seed)
    return Featured(found, changed(stage, found, seed))
