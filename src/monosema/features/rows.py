"""What is known about a sample of features, as plain rows. Imports no torch; knows no page.

FeatureStudy            everything of a run: per dictionary a sample, its control's, the findings
  FeatureSample         one dictionary: how many tokens, which strata, who was drawn
    Stratum             a band of frequency: how many features are in it, how many are shown
    FeatureRow          one feature: numbers, top token, best detector, logit effects
      Context           a window of text with the feature's activation at every token
    ScoredFeature       one feature of the uniform draw behind `readability`
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from monosema.core.config import from_json, require, require_range, to_json
from monosema.core.findings import Finding

Pattern = Literal["token", "previous token"]


@dataclass(frozen=True)
class SampleConfig:
    """What is sampled, and from how many tokens.

    n_features     shown with contexts, drawn equally from bands of one decade of frequency
    n_control      the same, of a control
    n_scored       drawn uniformly among the features that fire, for `readability`
    n_top, n_active, n_inactive
                   contexts shown of each kind
    before, after  tokens shown on either side
    n_logits       tokens most promoted and most suppressed
    max_tokens     blocks are taken evenly from the whole corpus up to this many tokens
    batch_tokens   tokens in one forward pass; no number depends on it
    """

    n_features: int = 40
    n_control: int = 10
    n_scored: int = 200
    n_top: int = 8
    n_active: int = 4
    n_inactive: int = 4
    before: int = 16
    after: int = 8
    n_logits: int = 8
    max_tokens: int = 500_000
    batch_tokens: int = 4096
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n_features", "n_control", "n_scored", "n_top", "n_logits", "max_tokens", "batch_tokens"):
            require_range(name, getattr(self, name), 1)
        for name in ("n_active", "n_inactive", "before", "after", "seed"):
            require_range(name, getattr(self, name), 0)
        require(
            self.before + self.after < 1000, f"a window of {self.before} + {self.after} tokens is too wide: at most 999"
        )


@dataclass(frozen=True)
class Context:
    """A window of one document around a token.

    texts, ids   the tokens; a character cut into several tokens is at its first one, '' at the others
    activations  the feature's activation at each; None where none is computed (BOS, padding)
    at           index of the token that the window was chosen for
    block, position
                 where that token is in the corpus: position counts from the start of the block
    """

    document: str
    block: int
    position: int
    at: int
    texts: tuple[str, ...]
    ids: tuple[int, ...]
    activations: tuple[float | None, ...]


@dataclass(frozen=True)
class TopToken:
    """The token on which a feature fires most often; `share` of its firings are on it, in (0, 1]."""

    id: int
    text: str
    share: float


@dataclass(frozen=True)
class Detector:
    """The single-token rule that a feature comes closest to, and how close.

    The rule "the token is `id`" or "the previous token is `id`" is chosen on half of the documents
    by the largest F1 of (feature fires) against (rule holds), and `f1`, in [0, 1], is measured on
    the other half. `f1` is 0 where the feature fires nowhere in the scoring half.
    """

    pattern: Pattern
    id: int
    text: str
    f1: float


@dataclass(frozen=True)
class LogitEffect:
    """What one unit of a feature adds to a token's logit (see `LogitEffects`)."""

    id: int
    text: str
    effect: float


@dataclass(frozen=True)
class LogitEffects:
    """The tokens whose logits a feature's decoder direction raises and lowers most, strongest first.

    W_dec[f] @ logit_weights less its mean over the vocabulary (softmax cannot see a constant):
    logits per unit of activation, up to the positive scale of the final norm; the direct path only.
    """

    top: tuple[LogitEffect, ...]
    bottom: tuple[LogitEffect, ...]


@dataclass(frozen=True)
class FeatureRow:
    """One feature. `mean_activation` is over the tokens on which it fires.

    top       its strongest activations, one a document
    active    positions drawn uniformly from those on which it fires
    inactive  positions drawn uniformly from those with no firing anywhere in the window; fewer than
              asked for, or none, when the feature leaves no such window
    """

    feature: int
    frequency: float
    n_active: int
    mean_activation: float
    max_activation: float
    top_token: TopToken
    detector: Detector | None
    logits: LogitEffects | None
    top: tuple[Context, ...]
    active: tuple[Context, ...]
    inactive: tuple[Context, ...]


@dataclass(frozen=True)
class ScoredFeature:
    """A feature of the uniform draw: its frequency, its best single-token rule, and how well its logits
    name the next token (see `foretelling`; None without a direct logit effect)."""

    feature: int
    frequency: float
    detector: Detector | None
    foretells: float | None = None

    @property
    def f1(self) -> float:
        """The detector's F1; 0 when no rule could be chosen (see `Detector`)."""
        return 0.0 if self.detector is None else self.detector.f1


@dataclass(frozen=True)
class Stratum:
    """Features with a frequency in [low, high): how many there are, and how many of them are shown."""

    low: float
    high: float
    n_features: int
    n_shown: int


@dataclass(frozen=True)
class FeatureSample:
    """A stratified sample of one dictionary's features, and a uniform one for `readability`.

    n_tokens, n_documents   what the numbers were computed over
    n_features, n_dead      of the dictionary; a dead one fires on none of these tokens
    n_eligible              features firing at least MIN_FIRINGS times, of whom `scored` are drawn
    no_logits               why there are no logit effects, in words; '' when there are
    """

    fingerprint: str
    model_fingerprint: str
    corpus_fingerprint: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    config: SampleConfig
    n_tokens: int
    n_documents: int
    n_features: int
    n_dead: int
    n_eligible: int
    no_logits: str
    strata: tuple[Stratum, ...]
    features: tuple[FeatureRow, ...]
    scored: tuple[ScoredFeature, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` gives an equal sample back."""
        return cast(dict[str, Any], to_json(self))

    @staticmethod
    def from_json(data: Mapping[str, Any], where: str = "features") -> "FeatureSample":
        """The sample that `to_json` wrote. Raises ConfigError naming a key that does not belong."""
        return from_json(FeatureSample, data, where)


@dataclass(frozen=True)
class StudiedDictionary:
    """One dictionary's sample, the same of its control (None when skipped), and what they say."""

    name: str
    sample: FeatureSample
    control: FeatureSample | None
    control_is: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class FeatureStudy:
    """The features of a whole run, one entry a dictionary: what features.json holds."""

    dictionaries: tuple[StudiedDictionary, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` gives an equal study back."""
        return cast(dict[str, Any], to_json(self))

    @staticmethod
    def from_json(data: Mapping[str, Any], where: str = "features.json") -> "FeatureStudy":
        """The study that `to_json` wrote. Raises ConfigError naming a key that does not belong."""
        return from_json(FeatureStudy, data, where)
