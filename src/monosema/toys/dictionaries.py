"""Dictionaries of every architecture on the hidden states of toy models, whose features are known.

    toy model    n features in m dimensions, importance decay^i; rows are h = W x, so feature i has direction W_i
    found_i      cosine of W_i and its partner among the decoder rows, one to one (`evaluation.recovery.match`)
    control      the same dictionary matched to the directions of another toy model of the same kind

A feature that the toy model did not represent has no direction to find, and takes no part. The more important one is,
the longer its direction: `by_importance` is the rank correlation of importance and found.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.corpus.worlds import SITE
from monosema.dictionaries import (
    BatchTopKConfig,
    Dictionary,
    DictionarySpec,
    GatedConfig,
    JumpReLUConfig,
    L1Config,
    MatryoshkaConfig,
    OptimiserConfig,
    TopKConfig,
    TrainConfig,
    train,
)
from monosema.dictionaries.kernels import decode
from monosema.evaluation.recovery import cosines_of, match
from monosema.toys.capacity import represented
from monosema.toys.collapse import rank_correlation
from monosema.toys.inputs import Inputs, uniform_inputs
from monosema.toys.settings import ToyDictionariesConfig
from monosema.toys.sources import Rows
from monosema.toys.superposition import ToyConfig, Toys
from monosema.toys.training import ToyTrainConfig
from monosema.toys.training import train as train_toys

FOUND = 0.9
CHECK_ROWS = 8192


@dataclass(frozen=True)
class Dictated:
    """What one dictionary found of one toy model. matched: of each represented feature."""

    name: str
    matched: Float[Tensor, "feature"]
    control: Float[Tensor, "feature"]
    variance_explained: float
    l0: float
    by_importance: float

    @property
    def recovered(self) -> float:
        return float((self.matched >= FOUND).double().mean())


def specs(config: ToyDictionariesConfig) -> list[DictionarySpec]:
    """Every architecture, and L1 tied and untied."""
    n, k, penalty = config.n_features, config.k, config.penalty
    rules = {
        "l1_untied": ("l1", L1Config(n_features=n, penalty=penalty)),
        "l1_tied": ("l1", L1Config(n_features=n, penalty=penalty, tied=True)),
        "gated": ("gated", GatedConfig(n_features=n, penalty=penalty)),
        "topk": ("topk", TopKConfig(n_features=n, k=k)),
        "batchtopk": ("batchtopk", BatchTopKConfig(n_features=n, k=k)),
        "jumprelu": ("jumprelu", JumpReLUConfig(n_features=n, target=float(k))),
        "matryoshka": ("matryoshka", MatryoshkaConfig(n_features=n, k=k, shares=(0.25, 0.5, 1.0))),
    }
    optimiser = OptimiserConfig(lr=config.lr)
    return [
        DictionarySpec(name, rule, settings, (SITE,), (SITE,), optimiser) for name, (rule, settings) in rules.items()
    ]


def trained_dictionaries(source: Rows, wanted: Sequence[DictionarySpec], rows: int, seed: int) -> dict[str, Dictionary]:
    """`wanted`, trained on a source in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        training = TrainConfig(rows=rows, batch_size=512, seed=seed)
        return train(source, wanted, training, Path(folder)).dictionaries


def dictate(config: ToyDictionariesConfig, wanted: Sequence[DictionarySpec]) -> list[list[Dictated]]:
    """For each seed a toy model, and every dictionary of `wanted` trained on it."""
    n_models = config.seeds + 1  # the last one is the control of the first
    inputs = uniform_inputs(n_models, config.n, config.density, config.decay)
    training = ToyTrainConfig(steps=config.toy_steps, lr=0.01, last_lr=0.0, seed=config.seed)
    toys = train_toys(ToyConfig(n=config.n, m=config.m), inputs, training).toys
    return [_of_seed(config, wanted, toys, i) for i in range(config.seeds)]


def _of_seed(config: ToyDictionariesConfig, wanted: Sequence[DictionarySpec], toys: Toys, i: int) -> list[Dictated]:
    source = source_of(toys, i, uniform_inputs(1, config.n, config.density, config.decay))
    other = toys.W_in[i + 1].T
    trained = trained_dictionaries(source, wanted, config.rows, config.seed + i)
    return [judge(name, dictionary, source, other) for name, dictionary in trained.items()]


def source_of(toys: Toys, i: int, inputs: Inputs) -> Rows:
    """The hidden states of model `i`."""
    return Rows(toys.W_in[i].T.contiguous(), inputs, torch.full((inputs.n,), -1))


def judge(name: str, dictionary: Dictionary, source: Rows, other: Float[Tensor, "n d"]) -> Dictated:
    """What `dictionary` found of the represented features of `source`, and of `other` directions."""
    x = source.rows(CHECK_ROWS, "check").x
    codes = dictionary.encode(x)
    error = decode(codes, dictionary.W_dec, dictionary.b_dec) - x
    matched, there = _matched(dictionary, source.directions)
    control, _ = _matched(dictionary, other)
    order = rank_correlation(-there.nonzero()[:, 0].double(), matched.double())
    explained = 1 - float(error.square().sum() / (x - x.mean(0)).square().sum())
    return Dictated(name, matched, control, explained, float(codes.l0().double().mean()), order)


def _matched(dictionary: Dictionary, directions: Tensor) -> tuple[Tensor, Tensor]:
    """The cosine to its partner of every represented feature, 0 without one; and which are represented."""
    there = represented(directions.T)
    unit = torch.nn.functional.normalize(directions[there], dim=1)
    pairs = match(cosines_of(dictionary.W_dec, unit))
    found = torch.zeros(len(unit))
    found[pairs.features] = pairs.cosines
    return found, there
