"""What the planning test bed runs. Imports no torch."""

from dataclasses import dataclass
from typing import Literal

from monosema.core.config import require_range
from monosema.core.errors import ConfigError, unknown

Language = Literal["couplets", "articles"]
LANGUAGES: tuple[Language, ...] = ("couplets", "articles")


@dataclass(frozen=True)
class LearningConfig:
    """How a small GPT-2 learns: `steps` batches of fresh documents, `lr` at its peak. The loss is of what can be told
    from a plan alone: the second line, or article and noun."""

    steps: int = 450
    batch_size: int = 128
    lr: float = 3e-3
    n_layers: int = 4
    d_model: int = 64
    n_heads: int = 4

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "n_layers", "d_model", "n_heads"):
            require_range(name, getattr(self, name), 1)
        require_range("lr", self.lr, 0.0, open_low=True)


@dataclass(frozen=True)
class DictionaryConfig:
    """The dictionary of a token's states at all layers: TopK, trained on `rows` of them."""

    n_features: int = 128
    k: int = 3
    rows: int = 200_000
    lr: float = 0.005

    def __post_init__(self) -> None:
        require_range("n_features", self.n_features, 1)
        require_range("k", self.k, 1, self.n_features)
        require_range("rows", self.rows, 512)
        require_range("lr", self.lr, 0.0, open_low=True)


@dataclass(frozen=True)
class TranscoderConfig:
    """The transcoders of a model's layers, for its graphs: TopK, trained on `rows` tokens of texts."""

    n_features: int = 256
    k: int = 8
    rows: int = 400_000
    lr: float = 0.003

    def __post_init__(self) -> None:
        require_range("n_features", self.n_features, 2)
        require_range("k", self.k, 1, self.n_features)
        require_range("rows", self.rows, 512)
        require_range("lr", self.lr, 0.0, open_low=True)


@dataclass(frozen=True)
class PlanningConfig:
    """models: trained of each kind, from seeds of their own. couplets: on which each is measured; graphs: of how many
    of them at most."""

    language: Language = "couplets"
    models: int = 1
    couplets: int = 512
    seed: int = 0
    learning: LearningConfig = LearningConfig()
    dictionary: DictionaryConfig = DictionaryConfig()
    transcoders: TranscoderConfig = TranscoderConfig()
    graphs: int = 64

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise ConfigError(unknown("language", self.language, LANGUAGES))
        require_range("models", self.models, 1)
        require_range("couplets", self.couplets, 16)
        require_range("graphs", self.graphs, 16)
