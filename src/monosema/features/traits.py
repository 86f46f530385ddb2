"""Scores of features that need no explanation, of a random draw from a dictionary: what a check compares.

    floor_r, floor_f1   how well the token and the one before it foretell the activation (`floors`)
    foretells           how much higher the feature's own logits rank the next token where it fires (`foretelling`)
    importance          by how much the loss per token rises without the feature, nats (`effects.measures.total`)
    random_direction    the same of a random direction of its norm, taken off where, and as strongly as, it fires

Drawn are features that fire at least MIN_FIRINGS times. Importance is exact on some blocks at even distances.
All dictionaries of a model share its passes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float32, Int32, Int64
from torch import Tensor

from monosema.core.config import require_range
from monosema.core.progress import progress
from monosema.core.seeding import derive, generator
from monosema.corpus.views import Tokens
from monosema.dictionaries import Dictionary, Weights
from monosema.features.effects.measures import total
from monosema.features.effects.random_directions import random_like
from monosema.features.effects.subjects import Model, counted_tokens, why_no_loss_effect
from monosema.features.floors import HELD_OUT, Firing, Grammar
from monosema.features.foretelling import Foretelling
from monosema.features.logits import logit_effects, why_undefined
from monosema.features.reading import Part, Reader, chosen_blocks, columns
from monosema.features.tables.describing import grammar_of
from monosema.features.tables.text import TableText

TRAITS = ("floor_r", "floor_f1", "foretells", "importance", "random_direction")
MIN_FIRINGS = 16
BATCH_TOKENS = 4096
BLOCKS_AT_ONCE = 16
SPLITS = 8


@dataclass(frozen=True)
class TraitConfig:
    """max_tokens: positions of text; n_features: drawn from each dictionary; n_important: of these, whose importance
    is measured; n_blocks: on which it is."""

    max_tokens: int = 16_384
    n_features: int = 128
    n_important: int = 32
    n_blocks: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("max_tokens", "n_features", "n_blocks"):
            require_range(name, getattr(self, name), 1)
        require_range("n_important", self.n_important, 0, self.n_features)


@dataclass(frozen=True)
class Traits:
    """One row a feature drawn; not a number where a trait is not defined or was not measured."""

    features: Int64[Tensor, "feature"]
    values: Mapping[str, np.ndarray]
    n_firing: int
    """Features that fire at least MIN_FIRINGS times, of which these are drawn."""


def traits(
    dictionaries: Mapping[str, Dictionary], model: Model, tokens: Tokens, config: TraitConfig | None = None
) -> dict[str, Traits]:
    """TRAITS of features drawn from each of `dictionaries`, on `tokens` read by `model`.

    Raises DataError when no token is usable or an activation is not finite, MismatchError for a dictionary
    that does not fit the model.
    """
    config = config or TraitConfig()
    text = TableText.of(tokens, config.max_tokens)
    numbers = chosen_blocks(tokens, config.max_tokens)
    sites = [site for dictionary in dictionaries.values() for site in dictionary.reads]
    reader = Reader(model, tokens, sites, numbers, BATCH_TOKENS)
    with progress("traits of features", 2 * len(numbers) + len(dictionaries) * config.n_blocks, "block") as bar:
        counts = {name: torch.zeros(d.n_features, dtype=torch.int64) for name, d in dictionaries.items()}
        for part in reader.parts(bar.advance):
            for name, dictionary in dictionaries.items():
                counts[name] += part.codes(dictionary).counts()
        drawn = {name: _draw(count, name, config) for name, count in counts.items()}
        gathered = {name: _Gathered(dictionaries[name], model, chosen, text) for name, chosen in drawn.items()}
        for part in reader.parts(bar.advance):
            for name, dictionary in dictionaries.items():
                gathered[name].update(part, columns(part.codes(dictionary), drawn[name]))
        grammar, places = _grammar(text, config.seed)
        found = {}
        for name, dictionary in dictionaries.items():
            values = gathered[name].results(grammar, places.long())
            values |= _importance(dictionary, model, text, drawn[name], config)
            found[name] = Traits(drawn[name], values, int((counts[name] >= MIN_FIRINGS).sum()))
            bar.advance(config.n_blocks)
    return found


def _grammar(text: TableText, seed: int) -> tuple[Grammar, Int32[Tensor, "position"]]:
    """Of some splits of the documents the one that judges on nearest to a fifth of the text: of few documents a
    single split may judge on none."""
    splits = [grammar_of(text, derive(seed, "split", i)) for i in range(SPLITS)]
    return min(splits, key=lambda split: abs(float(split[0].judges.double().mean()) - 1 / HELD_OUT))


def _draw(counts: Int64[Tensor, "n_features"], name: str, config: TraitConfig) -> Int64[Tensor, "feature"]:
    firing = (counts >= MIN_FIRINGS).nonzero().flatten()
    order = torch.randperm(len(firing), generator=generator(config.seed, "traits", name))
    return firing[order[: config.n_features]]


class _Gathered:
    """The activations of the features drawn from one dictionary, and what follows where they fire."""

    def __init__(self, dictionary: Dictionary, model: Model, features: Int64[Tensor, "feature"], text: TableText):
        self.features, self.text = features, text
        self.acts: list[Float32[Tensor, "row feature"]] = []
        self.foretelling = None
        if not why_undefined(dictionary.writes):
            self.foretelling = Foretelling(logit_effects(dictionary, model, features)[:, : text.d_vocab])

    def update(self, part: Part, acts: Float32[Tensor, "row feature"]) -> None:
        self.acts.append(acts)
        if self.foretelling is not None:
            self.foretelling.update(part, acts > 0)

    def results(self, grammar: Grammar, places: Int64[Tensor, "position"]) -> dict[str, np.ndarray]:
        acts = torch.cat(self.acts)
        at = places[self.text.usable.flatten()]
        row, feature = ((acts != 0) & (at >= 0).unsqueeze(1)).nonzero(as_tuple=True)
        firing = Firing(feature, at[row], acts[row, feature], len(self.features))
        floors = grammar.floors(firing, [""] * self.text.d_vocab)
        foretells = [None] * len(self.features) if self.foretelling is None else self.foretelling.result()
        return {
            "floor_r": _column([floor.r for floor in floors]),
            "floor_f1": _column([floor.f1 for floor in floors]),
            "foretells": _column(foretells),
        }


def _importance(
    dictionary: Dictionary, model: Model, text: TableText, features: Int64[Tensor, "feature"], config: TraitConfig
) -> dict[str, np.ndarray]:
    """The loss per token without each feature, and without a random direction in its place, less the loss as it is."""
    found = {name: np.full(len(features), np.nan) for name in ("importance", "random_direction")}
    chosen = features[: config.n_important]
    if why_no_loss_effect(dictionary.writes) or not len(chosen):
        return found
    n = max(1, min(config.n_blocks, text.n_blocks))
    numbers = torch.tensor([i * text.n_blocks // n for i in range(n)])
    rows = random_like(dictionary.W_dec[chosen].detach().float().cpu(), chosen.tolist(), config.seed)
    redirected = _redirected(dictionary, chosen, rows)
    sums, n_tokens = {name: torch.zeros(len(chosen), dtype=torch.float64) for name in found}, 0
    for some in numbers.split(BLOCKS_AT_ONCE):
        blocks = text.taken(some)
        n_tokens += int(counted_tokens(blocks).sum())
        for name, which in (("importance", dictionary), ("random_direction", redirected)):
            sums[name] += total(model, which, blocks, chosen).double().sum((1, 2))
    for name, values in found.items():
        values[: len(chosen)] = (sums[name] / max(n_tokens, 1)).numpy()
    return found


def _redirected(
    dictionary: Dictionary, features: Int64[Tensor, "feature"], rows: Float[Tensor, "feature d_out"]
) -> Dictionary:
    """A dictionary that fires as before and whose `features` write other rows."""
    w, decoder = dictionary.weights, dictionary.W_dec.detach().clone()
    decoder[features] = rows.to(decoder)
    return replace(dictionary, weights=Weights(w.W_enc, decoder, w.b_enc, w.b_dec, w.centred, w.extra, w.layers))


def _column(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
