"""The settings of explanations and of the endpoint that may write them. Imports no torch."""

import os
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import urlsplit

from monosema.core.config import require, require_range
from monosema.core.errors import ConfigError, unknown

Score = Literal["detection", "fuzzing", "intruder", "simulation", "embedding"]

KEY_VARIABLE = "MONOSEMA_API_KEY"

BASELINES = ("ngrams", "tokens", "tfidf")
"""The explainers that ask no language model; the first is the floor."""

AT_ONCE = 5
"""Windows that one question shows."""


@dataclass(frozen=True)
class ExplainConfig:
    """Which features are explained, and on how much text their explanations are scored.

    n_features   features of the dictionary, drawn at random among those with enough windows
    n_control    the same of the control's dictionary
    features     these features of the dictionary, in place of a draw
    n_windows    windows of each kind (where it fires, where it does not) that a score is made from
    n_examples   windows that an endpoint is shown to explain from
    n_least      windows of each kind that a feature must have, both to explain and to score from
    """

    n_features: int = 100
    n_control: int = 100
    features: tuple[int, ...] = ()
    n_windows: int = 50
    n_examples: int = 20
    n_least: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        require_range("n_features", self.n_features, 1)
        require_range("n_control", self.n_control, 0)
        require_range("n_windows", self.n_windows, 2)
        require_range("n_examples", self.n_examples, 1)
        require_range("n_least", self.n_least, 2)
        require_range("seed", self.seed, 0)
        require(len(set(self.features)) == len(self.features), "a feature is given twice")
        for feature in self.features:
            require_range("feature", feature, 0)


@dataclass(frozen=True)
class EndpointConfig:
    """A server that speaks OpenAI's protocol, and what it is asked.

    base_url      such as http://127.0.0.1:8000/v1; '' for no endpoint
    model         its name there; also the explainer's name in the table
    scores        what its explanations are scored by
    embedding     model of /embeddings that compares explanation and window; '' for words (TF-IDF)
    key_variable  environment variable that holds the key; the key itself is written nowhere
    n_control     features of the control, and of shuffled explanations, that it is asked about
    concurrency   questions at once      timeout  seconds for one answer      tries  of one question
    price_in, price_out   of a million tokens of prompt and of completion, in any currency
    """

    base_url: str = ""
    model: str = ""
    scores: tuple[Score, ...] = ("detection", "fuzzing")
    embedding: str = ""
    key_variable: str = KEY_VARIABLE
    n_control: int = 20
    concurrency: int = 8
    timeout: float = 120.0
    tries: int = 6
    price_in: float | None = None
    price_out: float | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        require(bool(self.base_url) == bool(self.model), "an endpoint takes both --base-url and --model")
        require(
            not self.base_url or (parts.scheme in ("http", "https") and bool(parts.hostname)),
            f"base_url is '{_without_secrets(self.base_url)}': it must be an address such as http://127.0.0.1:8000/v1",
        )
        require(
            "@" not in parts.netloc and not parts.query,
            f"base_url holds a secret: put the key into the environment variable {self.key_variable} instead",
        )
        require(self.model not in BASELINES, f"model is '{self.model}': that is a baseline's name")
        for score in self.scores:
            require(score in get_args(Score), unknown("score", score, get_args(Score)))
        require(not self.embedding or "embedding" in self.scores, "--embedding needs 'embedding' among the scores")
        require_range("n_control", self.n_control, 0)
        require_range("concurrency", self.concurrency, 1, 256)
        require_range("timeout", self.timeout, 0, open_low=True)
        require_range("tries", self.tries, 1, 20)
        for name in ("price_in", "price_out"):
            require_range(name, getattr(self, name) or 0.0, 0)

    def key(self) -> str:
        """The key, from the environment; '' where the default variable is not set.

        Raises ConfigError when a variable was named and is not set, or holds what no header can.
        """
        key = os.environ.get(self.key_variable, "").strip()
        if not key and self.key_variable != KEY_VARIABLE:
            raise ConfigError(f"the environment variable {self.key_variable} is not set: export it, with the key in it")
        if not key.isascii() or not key.isprintable():
            raise ConfigError(f"the environment variable {self.key_variable} holds characters that no key has")
        return key


def _without_secrets(url: str) -> str:
    return url.rpartition("@")[2].partition("?")[0]
