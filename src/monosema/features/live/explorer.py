"""One model with its tokenizer and dictionaries, asked about prompts. One question at a time."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import final

from monosema.core.config import require
from monosema.core.errors import MismatchError, unknown
from monosema.features.browse.table import FeatureTable
from monosema.features.effects.scene import Route
from monosema.features.effects.subjects import Dictionary, Model, require_loss_effect
from monosema.features.live.ablating import ablations
from monosema.features.live.prompts import Prompt, Tokenizer, Words
from monosema.features.live.quantiles import quantile
from monosema.features.live.readings import Reading, probabilities, route_of
from monosema.features.live.rows import Ablation, Candidate, FiringHere, Look, PromptToken, Steered
from monosema.features.live.settings import Draw, Steer
from monosema.features.live.steering import steered

ORDERS = ("attr", "act", "quantile")
N_LISTED = 100
N_CANDIDATES = 10
MOST_ABLATED = 100
KEPT = 4
"""Prompts whose readings are kept."""


@final
class Explorer:
    """Answers from the model. `dictionaries` may load each when it is first asked for. Not safe to be asked by
    several threads at once."""

    def __init__(self, model: Model, tokenizer: Tokenizer, dictionaries: Mapping[str, Dictionary]) -> None:
        self.model, self.tokenizer, self.dictionaries = model, tokenizer, dictionaries
        self.words = Words(tokenizer)
        self._routes: dict[str, Route] = {}
        self._readings: OrderedDict[tuple[str, str], Reading] = OrderedDict()
        self._fingerprints: dict[str, str] = {}

    def look(
        self,
        name: str,
        text: str,
        at: int | None = None,
        table: FeatureTable | None = None,
        feature: int | None = None,
        order: str = "attr",
    ) -> Look:
        """The prompt as the dictionary `name` reads it, and what fires at position `at` (by default the last).

        `table` gives quantiles; `feature` is the one whose activation every token says. Raises ConfigError
        (a prompt that cannot be read, no such position or feature), MismatchError (the table is of other
        weights).
        """
        require(order in ORDERS, unknown("order", order, ORDERS))
        reading = self._reading(name, text)
        if table is not None:
            self._require_table(name, table)
        place = reading.prompt.position(at)
        here = _firing(reading, place, table, order)
        return Look(
            tokens=_tokens(reading, feature),
            loss=_mean_loss(reading),
            n_limit=reading.prompt.n_limit,
            missing=reading.missing,
            at=place,
            following=self._following(reading, place),
            candidates=self._candidates(reading, place),
            n_firing=len(here),
            firing=tuple(here[:N_LISTED]),
        )

    def ablations(self, name: str, text: str, at: int | None = None, n: int = 20) -> Iterator[Ablation]:
        """The exact effects of the `n` features of the largest attr among those that fire at `at`: each is
        measured when it is asked for, and kept. Raises as `look`, and SiteError where effects are not defined."""
        require(1 <= n <= MOST_ABLATED, f"n is {n}: it must be 1 to {MOST_ABLATED}")
        reading = self._reading(name, text)
        require_loss_effect(reading.dictionary.writes)
        return ablations(reading, reading.prompt.position(at), n)

    def steered(self, name: str, text: str, at: int | None, steer: Steer, draw: Draw) -> Steered:
        """What changing a feature does, with the prediction at `at`. Raises as `look`, and SiteError where
        effects are not defined."""
        reading = self._reading(name, text)
        return steered(reading, self.tokenizer, self.words, reading.prompt.position(at), steer, draw)

    def _reading(self, name: str, text: str) -> Reading:
        key = (name, text)
        if key not in self._readings:
            dictionary = self.dictionaries[name]
            prompt = Prompt.of(text, self.tokenizer, self.model.n_context)
            if name not in self._routes:
                self._routes[name] = route_of(self.model, dictionary)
            self._readings[key] = Reading.of(self.model, dictionary, self._routes[name], prompt)
            while len(self._readings) > KEPT:
                self._readings.popitem(last=False)
        self._readings.move_to_end(key)
        return self._readings[key]

    def _require_table(self, name: str, table: FeatureTable) -> None:
        if name not in self._fingerprints:
            self._fingerprints[name] = self.dictionaries[name].fingerprint
        if self._fingerprints[name] != table.manifest.dictionary_fingerprint:
            raise MismatchError(
                f"the table of '{name}' is of other weights than the dictionary that was opened: build it again "
                "with `monosema features RUN`, then start `monosema dash` again"
            )

    def _following(self, reading: Reading, at: int) -> Candidate | None:
        if at + 1 >= len(reading.prompt):
            return None
        token = reading.prompt.ids[at + 1]
        return Candidate(token, self.words(token), float((-reading.losses[at + 1]).exp()))

    def _candidates(self, reading: Reading, at: int) -> tuple[Candidate, ...]:
        shares = probabilities(reading, reading.scene.final[0, at], self.tokenizer)
        best = shares.topk(min(N_CANDIDATES, len(shares))).indices.tolist()
        return tuple(Candidate(token, self.words(token), float(shares[token])) for token in best)


def _tokens(reading: Reading, feature: int | None) -> tuple[PromptToken, ...]:
    prompt, losses, counts = reading.prompt, reading.losses.tolist(), reading.n_firing.tolist()
    counted, usable = reading.scene.counted[0].tolist(), prompt.blocks.usable[0].tolist()
    acts = [0.0] * len(prompt) if feature is None else reading.acts(feature)[0].tolist()
    return tuple(
        PromptToken(i, token, text, losses[i] if i else None, counted[i], usable[i], counts[i], acts[i])
        for i, (token, text) in enumerate(zip(prompt.ids, prompt.texts, strict=True))
    )


def _mean_loss(reading: Reading) -> float | None:
    counted = reading.scene.counted[0].cpu()
    return float(reading.losses[counted].double().mean()) if bool(counted.any()) else None


def _firing(reading: Reading, at: int, table: FeatureTable | None, order: str) -> list[FiringHere]:
    """Every feature that fires at a position, in the order asked for."""
    entries = reading.entries(at)
    features, acts = reading.codes.indices[entries].tolist(), reading.codes.values[entries].tolist()
    local = [None] * len(features) if reading.effects is None else reading.effects[entries].tolist()
    counts, sums = reading.codes.counts(), reading.sums
    known = {} if table is None else table.histograms(features)
    found = [
        FiringHere(
            feature=feature,
            act=act,
            quantile=quantile(known.get(feature), act),
            attr=None if sums is None else float(sums[feature]),
            attr_here=None if here is None else here + 0.0,  # no -0.0
            n_firing=int(counts[feature]),
        )
        for feature, act, here in zip(features, acts, local, strict=True)
    ]
    keys = {"attr": lambda f: abs(f.attr or 0.0), "act": lambda f: f.act, "quantile": lambda f: f.quantile or 0.0}
    return sorted(found, key=lambda f: (-keys[order](f), -f.act, f.feature))
