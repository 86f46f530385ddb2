"""Planned features: a dictionary of the newline's states, and which of its features are whose.

    x = the newline's states, all layers laid end to end          a crosscoder: one feature writes to every layer
    the features of a plan: those that fire on at least half of its couplets, and on less than half of all

A plan may have one feature or be made of several, such as one of its class and one of its topic. With two candidates
a plan has features as the first of them, and features as the second. What they do is seen in `changes`.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from monosema.circuits.planning.rows import Rows
from monosema.circuits.planning.settings import DictionaryConfig
from monosema.circuits.planning.sight import Reader
from monosema.circuits.planning.writing import States, states_at
from monosema.core.errors import DivergedError
from monosema.core.seeding import generator
from monosema.corpus.plans.couplets import N_PLANS, NEWLINE, Couplets
from monosema.dictionaries import Dictionary, DictionarySpec, OptimiserConfig, TopKConfig, TrainConfig, train

ROWS, BATCH = 8192, 512
"""Couplets whose states the dictionary is trained on, again and again; and in each of its batches."""

JUDGED_ON = 4096
HALF = 0.5
NEAREST = 8
"""Features that fire most nearly as often as one, of which a control is drawn."""


def dictionary_of(reader: Reader, language: Couplets, config: DictionaryConfig, seed: int) -> Dictionary:
    """A TopK dictionary of the newline's states. Raises DivergedError."""
    verses = language.draw(ROWS, generator(seed, "couplets for a dictionary"))
    states = states_at(reader, verses.tokens, NEWLINE)
    source, sites = Rows(dict(zip(reader.streams, states, strict=True))), tuple(reader.streams)
    rule = TopKConfig(n_features=config.n_features, k=config.k)
    spec = DictionarySpec("plans", "topk", rule, sites, sites, OptimiserConfig(lr=config.lr))
    with tempfile.TemporaryDirectory() as folder:
        trained = train(source, [spec], TrainConfig(rows=config.rows, batch_size=BATCH, seed=seed), Path(folder))
    if trained.diverged:
        raise DivergedError(f"the dictionary of plans diverged: {trained.diverged['plans']}")
    return trained.dictionaries["plans"]


@dataclass(frozen=True)
class Planned:
    """The features of plans.

    first, second   which features are of each plan as the first candidate, and as the second
    strength        mean activation of every feature over the couplets whose first candidate is the plan
    f1              of `all its features fire` as a detector of the plan; `shuffled`, the same of labels dealt anew
    nearest         for every feature, those that fire most nearly as often
    explained       variance of states that the dictionary explains
    """

    dictionary: Dictionary
    first: Bool[Tensor, "plan n_features"]
    second: Bool[Tensor, "plan n_features"]
    strength: Float[Tensor, "plan n_features"]
    f1: Float[Tensor, "plan"]
    shuffled: Float[Tensor, "plan"]
    nearest: Int64[Tensor, "n_features m"]
    explained: float

    def firing(self, states: States) -> Float[Tensor, "n n_features"]:
        """How strongly every feature fires on states."""
        return self.dictionary.encode(flat(states)).dense()

    def writes(self, codes: Float[Tensor, "n n_features"]) -> States:
        """What features write to every layer."""
        return (codes @ self.dictionary.W_dec).unflatten(1, (len(self.dictionary.writes), -1)).transpose(0, 1)

    def alike(self, codes: Float[Tensor, "n n_features"], draws: torch.Generator) -> Float[Tensor, "n n_features"]:
        """The same strengths, of others at random among the features that fire most nearly as often."""
        return dealt_to(self.nearest, codes, draws)


def as_often(fires: Bool[Tensor, "n n_features"]) -> Int64[Tensor, "n_features m"]:
    """For every feature, those that fire most nearly as often."""
    frequency = fires.double().mean(0)
    apart = (frequency - frequency[:, None]).abs().fill_diagonal_(torch.inf)
    return apart.topk(NEAREST, largest=False).indices


def dealt_to(
    nearest: Int64[Tensor, "n_features m"], codes: Float[Tensor, "n n_features"], draws: torch.Generator
) -> Float[Tensor, "n n_features"]:
    """The same strengths, each of one of those that are `nearest` to its feature."""
    picks = torch.randint(nearest.shape[1], codes.shape, generator=draws)
    others = nearest[torch.arange(codes.shape[1]), picks]
    return torch.zeros_like(codes).scatter_add_(1, others, codes)


def flat(states: States) -> Float[Tensor, "n flat"]:
    """The layers laid end to end, as the dictionary reads them."""
    return states.transpose(0, 1).flatten(1)


@torch.no_grad()
def planned(reader: Reader, language: Couplets, dictionary: Dictionary, seed: int) -> Planned:
    """Which features are of which plans, on couplets of their own."""
    draws = generator(seed, "couplets to judge features by")
    verses = language.draw(JUDGED_ON, draws)
    x = flat(states_at(reader, verses.tokens, NEWLINE))
    codes = dictionary.encode(x)
    error = dictionary.decode(codes) - x
    values = codes.dense()
    fires = values > 0
    dealt = verses.first[torch.randperm(JUDGED_ON, generator=draws)]
    return Planned(
        dictionary,
        of_plans(fires, verses.first),
        of_plans(fires, verses.second),
        _shares(values, verses.first),
        detection(fires, verses.first),
        detection(fires, dealt),
        as_often(fires),
        float(1 - error.square().sum() / (x - x.mean(0)).square().sum()),
    )


def of_plans(fires: Bool[Tensor, "n n_features"], plans: Int64[Tensor, "n"]) -> Bool[Tensor, "plan n_features"]:
    """The features that fire on at least half of a plan's couplets and on less than half of all."""
    values = fires.float()
    return (_shares(values, plans) >= HALF) & (values.mean(0) < HALF)


def detection(fires: Bool[Tensor, "n n_features"], plans: Int64[Tensor, "n"]) -> Float[Tensor, "plan"]:
    """F1 of `all features of the plan fire` as a detector of each plan, 2 hits / (fired + asked); 0 without any."""
    mine = of_plans(fires, plans).float()
    fired = ((fires.float() @ mine.T) == mine.sum(1)) & (mine.sum(1) > 0)
    asked = torch.nn.functional.one_hot(plans, N_PLANS).bool()
    return 2 * (fired & asked).sum(0) / (fired.sum(0) + asked.sum(0)).clamp(min=1)


def _shares(values: Float[Tensor, "n m"], plans: Int64[Tensor, "n"]) -> Float[Tensor, "plan m"]:
    """The mean over the couplets of each plan; 0 of a plan without couplets."""
    belongs = torch.nn.functional.one_hot(plans, N_PLANS).to(values)
    return (belongs / belongs.sum(0).clamp(min=1)).T @ values
