"""The settings of the pipeline's first stages, as config.json holds them. Imports no torch."""

from dataclasses import dataclass, field
from typing import Literal

from monosema.activations.config import HarvestConfig
from monosema.core.config import require_range


@dataclass(frozen=True)
class PackConfig:
    """The text, and how it is cut.

    corpus      anything that `corpus.documents` reads; `column` is the text's in a table
    context     tokens in a block
    held_out    fraction of the documents that is kept for scoring
    vocab_size  train a tokenizer of so many tokens on the text (a language has its own); 0 takes the model's
    """

    corpus: str = "stdlib"
    context: int = 128
    held_out: float = 0.1
    max_tokens: int | None = None
    column: str = "text"
    vocab_size: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        require_range("vocab_size", self.vocab_size, 0)


@dataclass(frozen=True)
class ControlConfig:
    """How the model is randomised for the control; see `models.randomised`."""

    how: Literal["redraw", "permute", "reinit"] = "redraw"
    keep_embeddings: bool = False
    seed: int = 0

    @property
    def what(self) -> str:
        """The control in words, as findings show it."""
        done = {"redraw": "redrawn", "permute": "permuted", "reinit": "re-initialised"}[self.how]
        return f"the same recipe on the model with weights {done}{', embeddings kept' if self.keep_embeddings else ''}"


@dataclass(frozen=True)
class SubjectConfig:
    """What is taken apart: a model (a folder, seen from the run directory), where in it, beside which control."""

    model: str
    sites: tuple[str, ...]
    control: ControlConfig | None = field(default_factory=ControlConfig)
    harvest: HarvestConfig = field(default_factory=HarvestConfig)
    dtype: str = "float32"
    device: str = "cpu"
