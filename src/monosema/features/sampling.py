"""A stratified sample of a dictionary's features, in two passes over the corpus.

    pass 1   how often and how strongly each feature fires   -> which ones are shown and scored
    pass 2   of those: contexts, token counts                -> rows

Memory holds one batch, the activations the reader keeps (bounded), the contexts, and the counts of
those (feature, token) pairs that occur.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from monosema.core.errors import DataError
from monosema.core.progress import progress
from monosema.corpus.views import Tokens
from monosema.dictionaries.codes import SparseCodes
from monosema.features.contexts import Contexts, Windows, rounded
from monosema.features.detectors import TokenCounts
from monosema.features.foretelling import Foretelling
from monosema.features.logits import logit_effects, why_undefined
from monosema.features.reading import Dictionary, Model, Part, Reader, Tokenizer, chosen_blocks, columns
from monosema.features.rows import FeatureRow, FeatureSample, LogitEffect, LogitEffects, SampleConfig, ScoredFeature
from monosema.features.selection import Firings, draw


class _Words:
    """Ids and places of the corpus as text."""

    def __init__(self, tokens: Tokens, tokenizer: Tokenizer, config: SampleConfig) -> None:
        self.windows = Windows(tokens, tokenizer, config)
        self.tokenizer, self.n_logits = tokenizer, config.n_logits
        self.before = tokenizer.encode(["a"])[0]

    def of(self, token: int) -> str:
        """A token in the middle of a text, since some tokenizers drop a space at the beginning; a piece
        of a character shows as U+FFFD."""
        return self.tokenizer.token_texts([*self.before, token])[-1]

    def extremes(self, effects: Float[Tensor, "d_vocab"]) -> LogitEffects:
        """The tokens whose logits are raised and lowered most."""
        order = effects.sort(descending=True, stable=True).indices

        def shown(ids: list[int]) -> tuple[LogitEffect, ...]:
            return tuple(LogitEffect(i, self.of(i), rounded(float(effects[i]))) for i in ids)

        return LogitEffects(shown(order[: self.n_logits].tolist()), shown(order.flip(0)[: self.n_logits].tolist()))


class _CloserLook:
    """The second pass: contexts of the shown features, token counts of the shown and the scored."""

    def __init__(self, firings: Firings, dictionary: Dictionary, model: Model, d_vocab: int, config: SampleConfig):
        self.firings, self.config = firings, config
        self.drawn = draw(firings, config.n_features, config.n_scored, config.seed)
        self.shown = self.drawn.shown.tolist()
        self.tracked = torch.cat([self.drawn.shown, self.drawn.scored]).unique()
        self.columns = {feature: i for i, feature in enumerate(self.tracked.tolist())}
        self.counts = TokenCounts(len(self.tracked), d_vocab, config.seed)
        self.contexts = Contexts(self.shown, config)
        self.no_logits = why_undefined(dictionary.writes)
        drawn = self.drawn
        self.foretelling = None if self.no_logits else Foretelling(logit_effects(dictionary, model, drawn.scored))

    def update(self, part: Part, codes: SparseCodes) -> None:
        """Take in the usable positions of some blocks."""
        f = columns(codes, self.tracked)
        previous = pad(part.tokens, (1, 0), value=-1)[:, :-1]
        self.counts.update(part.owners, part.tokens[part.usable], previous[part.usable], f > 0)
        if self.foretelling:
            self.foretelling.update(part, f[:, [self.columns[i] for i in self.drawn.scored.tolist()]] > 0)
        self.contexts.update(part, f[:, [self.columns[feature] for feature in self.shown]])

    def scored(self, words: _Words) -> tuple[ScoredFeature, ...]:
        """The features of the uniform draw."""
        features = self.drawn.scored.tolist()
        lifts = self.foretelling.result() if self.foretelling else [None] * len(features)
        return tuple(
            ScoredFeature(
                feature=feature,
                frequency=int(self.firings.counts[feature]) / self.firings.n_tokens,
                detector=self.counts.detector(self.columns[feature], words.of),
                foretells=None if lift is None else rounded(lift),
            )
            for feature, lift in zip(features, lifts, strict=True)
        )

    def row(self, i: int, logits: LogitEffects | None, words: _Words) -> FeatureRow:
        """The i-th shown feature."""
        feature, contexts, firings = self.shown[i], self.contexts.each[i], self.firings
        n_active = int(firings.counts[feature])
        return FeatureRow(
            feature=feature,
            frequency=n_active / firings.n_tokens,
            n_active=n_active,
            mean_activation=rounded(float(firings.sums[feature]) / n_active),
            max_activation=rounded(float(firings.largest[feature])),
            top_token=self.counts.top_token(self.columns[feature], words.of),
            detector=self.counts.detector(self.columns[feature], words.of),
            logits=logits,
            top=tuple(words.windows.context(kept) for kept in contexts.top.kept),
            active=tuple(words.windows.context(kept) for kept in contexts.active.kept),
            inactive=tuple(words.windows.context(kept) for kept in contexts.inactive.kept),
        )


def sample(
    dictionary: Dictionary, model: Model, tokens: Tokens, tokenizer: Tokenizer, config: SampleConfig | None = None
) -> FeatureSample:
    """Features drawn equally from every decade of frequency, with contexts, numbers and logit effects.

    The same inputs give the same sample. A dead feature (one that fires on none of these tokens) is
    counted and never shown. Raises MismatchError when the dictionary does not fit the model,
    DataError when there is no usable token or an activation is not finite.
    """
    return sample_many({"": dictionary}, model, tokens, tokenizer, config)[""]


def sample_many(
    dictionaries: Mapping[str, Dictionary],
    model: Model,
    tokens: Tokens,
    tokenizer: Tokenizer,
    config: SampleConfig | None = None,
) -> dict[str, FeatureSample]:
    """As `sample`, for several dictionaries of one model, which runs once for all of them."""
    config = config or SampleConfig()
    numbers = chosen_blocks(tokens, config.max_tokens)
    sites = [site for dictionary in dictionaries.values() for site in dictionary.reads]
    reader = Reader(model, tokens, sites, numbers, config.batch_tokens)
    firings = {name: Firings(dictionary.n_features) for name, dictionary in dictionaries.items()}
    with progress("sampling features", 2 * len(numbers), "block") as bar:
        for part in reader.parts(bar.advance):
            for name, dictionary in dictionaries.items():
                firings[name].update(part, part.codes(dictionary))
        if any(counts.n_tokens == 0 for counts in firings.values()):
            raise DataError("there is no usable token to sample features on: the corpus holds only BOS and padding")
        looks = {
            name: _CloserLook(counts, dictionaries[name], model, tokens.d_vocab, config)
            for name, counts in firings.items()
        }
        for part in reader.parts(bar.advance):
            for name, dictionary in dictionaries.items():
                looks[name].update(part, part.codes(dictionary))
    words = _Words(tokens, tokenizer, config)
    return {name: _rows(looks[name], dictionary, model, words) for name, dictionary in dictionaries.items()}


def _rows(look: _CloserLook, dictionary: Dictionary, model: Model, words: _Words) -> FeatureSample:
    firings, drawn = look.firings, look.drawn
    logits: list[LogitEffects | None] = [None] * len(drawn.shown)
    if not look.no_logits:
        logits = [words.extremes(effects) for effects in logit_effects(dictionary, model, drawn.shown)]
    return FeatureSample(
        fingerprint=dictionary.fingerprint,
        model_fingerprint=model.fingerprint,
        corpus_fingerprint=words.windows.tokens.fingerprint,
        reads=dictionary.reads,
        writes=dictionary.writes,
        config=look.config,
        n_tokens=firings.n_tokens,
        n_documents=len(firings.documents),
        n_features=dictionary.n_features,
        n_dead=int((firings.counts == 0).sum()),
        n_eligible=drawn.n_eligible,
        no_logits=look.no_logits,
        strata=drawn.strata,
        features=tuple(look.row(i, effects, words) for i, effects in enumerate(logits)),
        scored=look.scored(words),
    )
