"""A stratified sample of a dictionary's features, in two passes over the corpus.

    pass 1   how often and how strongly each feature fires   -> which ones are shown and scored
    pass 2   of those: contexts, token counts                -> rows

Memory holds one batch, the contexts kept, and the counts of (feature, token) pairs that occur.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from monosema.core.errors import DataError
from monosema.core.progress import progress
from monosema.features.contexts import ContextsOf, Windows, rounded
from monosema.features.detectors import TokenCounts
from monosema.features.logits import logit_effects, why_undefined
from monosema.features.reading import Dictionary, Model, Part, Tokenizer, Tokens, chosen_blocks, parts
from monosema.features.rows import FeatureRow, FeatureSample, LogitEffect, LogitEffects, SampleConfig, ScoredFeature
from monosema.features.selection import Drawn, Firings, draw


def sample(
    dictionary: Dictionary, model: Model, tokens: Tokens, tokenizer: Tokenizer, config: SampleConfig | None = None
) -> FeatureSample:
    """Features drawn equally from every decade of frequency, with contexts, numbers and logit effects.

    The same inputs give the same sample. A dead feature (one that fires on none of these tokens) is
    counted and never shown. Raises MismatchError when the dictionary does not fit the model,
    DataError when there is no usable token or an activation is not finite.
    """
    config = config or SampleConfig()
    numbers = chosen_blocks(tokens, config.max_tokens)
    with progress("sampling features", 2 * len(numbers), "block") as bar:

        def corpus() -> Iterator[Part]:
            for part in parts(dictionary, model, tokens, numbers, config.batch_tokens):
                bar.advance(len(part.numbers))
                yield part

        firings = Firings(dictionary.n_features)
        for part in corpus():
            firings.update(part)
        if firings.n_tokens == 0:
            raise DataError("there is no usable token to sample features on: the corpus holds only BOS and padding")
        drawn = draw(firings, config.n_features, config.n_scored, config.seed)
        closer = _CloserLook(drawn, tokens.d_vocab, config)
        for part in corpus():
            closer.update(part)
    words = _Words(tokens, tokenizer, config)
    effects = _effects(dictionary, model, drawn)
    return FeatureSample(
        fingerprint=dictionary.fingerprint,
        model_fingerprint=model.fingerprint,
        corpus_fingerprint=tokens.fingerprint,
        reads=dictionary.reads,
        writes=dictionary.writes,
        config=config,
        n_tokens=firings.n_tokens,
        n_documents=len(firings.documents),
        n_features=dictionary.n_features,
        n_dead=int((firings.counts == 0).sum()),
        n_eligible=drawn.n_eligible,
        no_logits=why_undefined(dictionary.writes),
        strata=drawn.strata,
        features=tuple(closer.row(i, firings, effects, words) for i in range(len(drawn.shown))),
        scored=tuple(closer.scored(feature, firings, words) for feature in drawn.scored.tolist()),
    )


def _effects(dictionary: Dictionary, model: Model, drawn: Drawn) -> Float[Tensor, "shown d_vocab"] | None:
    return None if why_undefined(dictionary.writes) else logit_effects(dictionary, model, drawn.shown)


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
        n = min(self.n_logits, len(order))

        def shown(ids: list[int]) -> tuple[LogitEffect, ...]:
            return tuple(LogitEffect(i, self.of(i), rounded(float(effects[i]))) for i in ids)

        return LogitEffects(shown(order[:n].tolist()), shown(order.flip(0)[:n].tolist()))


class _CloserLook:
    """The second pass: contexts of the shown features, token counts of the shown and the scored."""

    def __init__(self, drawn: Drawn, d_vocab: int, config: SampleConfig) -> None:
        self.shown = drawn.shown.tolist()
        self.tracked = torch.cat([drawn.shown, drawn.scored]).unique()
        self.columns = {feature: i for i, feature in enumerate(self.tracked.tolist())}
        self.counts = TokenCounts(len(self.tracked), d_vocab, config.seed)
        self.contexts = [ContextsOf(feature, config) for feature in self.shown]

    def update(self, part: Part) -> None:
        """Take in some blocks."""
        f = part.columns(self.tracked)
        previous = pad(part.tokens, (1, 0), value=-1)[:, :-1]
        self.counts.update(part.documents[part.usable], part.tokens[part.usable], previous[part.usable], f > 0)
        for feature, contexts in zip(self.shown, self.contexts, strict=True):
            contexts.update(part, f[:, self.columns[feature]])

    def scored(self, feature: int, firings: Firings, words: _Words) -> ScoredFeature:
        """A feature of the uniform draw."""
        frequency = int(firings.counts[feature]) / firings.n_tokens
        return ScoredFeature(feature, frequency, self.counts.detector(self.columns[feature], words.of))

    def row(
        self, i: int, firings: Firings, effects: Float[Tensor, "shown d_vocab"] | None, words: _Words
    ) -> FeatureRow:
        """The i-th shown feature."""
        feature, contexts = self.shown[i], self.contexts[i]
        n_active = int(firings.counts[feature])
        return FeatureRow(
            feature=feature,
            frequency=n_active / firings.n_tokens,
            n_active=n_active,
            mean_activation=rounded(float(firings.sums[feature]) / n_active),
            max_activation=rounded(float(firings.largest[feature])),
            top_token=self.counts.top_token(self.columns[feature], words.of),
            detector=self.counts.detector(self.columns[feature], words.of),
            logits=None if effects is None else words.extremes(effects[i]),
            top=tuple(words.windows.context(kept) for kept in contexts.top.kept),
            active=tuple(words.windows.context(kept) for kept in contexts.active.kept),
            inactive=tuple(words.windows.context(kept) for kept in contexts.inactive.kept),
        )
