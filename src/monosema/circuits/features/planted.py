"""A model in which the circuit is known: it learned that a verb agrees with its subject, and with no noun between.

    BOS The keys near the cabinet often   -> are        the clean prompt
    BOS The key near the cabinets often   -> is         the corrupted one: both nouns change their number

The number of the subject is known at the subject, must reach the last token before the verb, and is nothing that the
noun between could tell. That noun's number changes as well, so that its features move as much as the subject's do, and
only their effect can tell that they do not matter.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from monosema.circuits.features.nodes import FeatureEffects, FeatureNode
from monosema.circuits.features.parts import Part, parts_of
from monosema.circuits.features.states import read_states
from monosema.circuits.patch.pairs import Pairs
from monosema.circuits.planning.learning import learn
from monosema.circuits.planning.rows import Rows
from monosema.circuits.planning.settings import LearningConfig
from monosema.core.config import require_range
from monosema.core.errors import DivergedError
from monosema.core.seeding import generator
from monosema.corpus.agreement import Agreement, AgreementConfig
from monosema.corpus.agreement.language import LENGTH, VERBS, Phrases
from monosema.dictionaries import Dictionary, DictionarySpec, TopKConfig, TrainConfig, train
from monosema.models import Model

SENTENCES = 8192
"""Sentences whose activations dictionaries are trained on, and phrases that features are judged by."""


@dataclass(frozen=True)
class PlantedConfig:
    """How the small model and its dictionaries are made: TopK at resid_pre.0 and at resid_post of every
    layer, so that whatever reaches the answer passes all of them."""

    steps: int = 250
    n_layers: int = 3
    d_model: int = 64
    n_features: int = 128
    k: int = 4
    rows: int = 300_000
    pairs: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "n_layers", "d_model", "n_features", "k"):
            require_range(name, getattr(self, name), 1)
        require_range("rows", self.rows, 512)
        require_range("pairs", self.pairs, 4)


@dataclass(frozen=True)
class Planted:
    """The model, its dictionaries, and pairs of prompts of one build. phrases: others, to judge features by."""

    model: Model
    language: Agreement
    dictionaries: dict[str, Dictionary]
    pairs: Pairs
    phrases: Phrases

    @property
    def parts(self) -> tuple[Part, ...]:
        """The dictionaries at their sites."""
        return parts_of(self.model, self.dictionaries.values())

    def texts(self) -> list[str]:
        """The tokens of the first clean prompt."""
        return [self.language.words[token] for token in self.pairs.clean[0].tolist()]


def plant(config: PlantedConfig) -> Planted:
    """Train all of it. Raises DivergedError."""
    language = Agreement(AgreementConfig(adverbs=1.0, seed=config.seed))
    model = _model(language, config)
    draws = generator(config.seed, "agreement", "pairs")
    phrases = language.phrases(config.pairs, "beside", draws)
    judged = language.phrases(SENTENCES, "beside", generator(config.seed, "agreement", "judging"))
    dictionaries = _dictionaries(model, language, config)
    return Planted(model, language, dictionaries, pairs_of_phrases(language, phrases, draws), judged)


def pairs_of_phrases(language: Agreement, phrases: Phrases, draws: torch.Generator) -> Pairs:
    """Each phrase beside the one with both numbers changed, a verb drawn for each."""
    verbs = language.verbs[torch.randint(len(VERBS), (len(phrases),), generator=draws)]
    number, row = phrases.plural.long(), torch.arange(len(phrases))
    return Pairs(
        language.prompts(phrases), language.prompts(phrases.flipped()), verbs[row, number], verbs[row, 1 - number]
    )


def _model(language: Agreement, config: PlantedConfig) -> Model:
    learning = LearningConfig(steps=config.steps, n_layers=config.n_layers, d_model=config.d_model)
    sees = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()

    def draw(n: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        drawn = language.draw(n, draws)
        return drawn.tokens, drawn.targets

    return learn("agreement", len(language.words), draw, sees, learning, config.seed).model


def _dictionaries(model: Model, language: Agreement, config: PlantedConfig) -> dict[str, Dictionary]:
    tokens = language.draw(SENTENCES, generator(config.seed, "agreement", "activations")).tokens
    sites = ["resid_pre.0", *(f"resid_post.{layer}" for layer in range(model.n_layers))]
    usable = tokens != 0
    source = Rows({site: x[usable] for site, x in model.run(tokens, sites).items()})
    rule = TopKConfig(n_features=config.n_features, k=config.k)
    specs = [DictionarySpec(site.replace(".", "-"), "topk", rule, (site,), (site,)) for site in sites]
    with tempfile.TemporaryDirectory() as folder:
        trained = train(source, specs, TrainConfig(rows=config.rows, batch_size=512, seed=config.seed), Path(folder))
    if trained.diverged:
        raise DivergedError(f"dictionaries of the agreement model diverged: {', '.join(trained.diverged)}")
    return trained.dictionaries


@dataclass(frozen=True)
class Told:
    """What every feature tells at every position: the share of its activation's variance that a number explains, of
    the subject and of the noun between; 0 where it does not vary. [token, n_features] for each part."""

    subject: tuple[Float[Tensor, "token _"], ...]
    other: tuple[Float[Tensor, "token _"], ...]

    def of(self, node: FeatureNode) -> tuple[float, float]:
        """(of the subject, of the noun between); an error tells nothing here."""
        if node.feature is None or node.position is None:
            return 0.0, 0.0
        found = [float(group[node.part][node.position, node.feature]) for group in (self.subject, self.other)]
        return found[0], found[1]


@torch.no_grad()
def told(planted: Planted, parts: tuple[Part, ...] | None = None) -> Told:
    """By phrases on which no circuit was found; `parts` other than the planted model's own may be judged too."""
    tokens, judged = planted.language.prompts(planted.phrases), planted.phrases
    subject, other = [], []
    for part, state in zip(
        parts or planted.parts, read_states(planted.model, parts or planted.parts, tokens), strict=True
    ):
        values = state.codes.dense().view(*tokens.shape, part.n_features).double()
        subject.append(_explained(values, judged.plural))
        other.append(_explained(values, judged.other_plural))
    return Told(tuple(subject), tuple(other))


def _explained(values: Float[Tensor, "n token m"], label: Tensor) -> Float[Tensor, "token m"]:
    """The squared correlation of each activation with a label."""
    x, y = values - values.mean(0), label.double() - label.double().mean()
    spread = x.square().sum(0) * y.square().sum()
    product = torch.einsum("ntm,n->tm", x, y).square()
    return torch.where(spread > 1e-9, product / spread.clamp(min=1e-9), 0.0)


@torch.no_grad()
def differing(model: Model, pairs: Pairs, effects: FeatureEffects, n: int) -> tuple[FeatureNode, ...]:
    """The `n` features that most differ between clean and corrupted prompts, by the length of what they write: what is
    found without asking for effects."""
    sizes = []
    for part, clean, corrupted in zip(
        effects.parts,
        read_states(model, effects.parts, pairs.clean),
        read_states(model, effects.parts, pairs.corrupted),
        strict=True,
    ):
        apart = (clean.codes.dense() - corrupted.codes.dense()).abs().view(*pairs.clean.shape, -1).double().sum(0)
        length = part.directions(clean.error).double().norm(dim=1)
        sizes.append(torch.nn.functional.pad(apart * length, (0, 1)))
    flat = torch.cat([size.flatten() for size in sizes])
    return effects.listed(effects.active.chosen(flat.argsort(descending=True, stable=True)[:n]))
