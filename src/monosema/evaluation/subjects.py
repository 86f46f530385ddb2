"""What evaluation asks of a dictionary, a model and tokens, and the check that they fit together.

`monosema.dictionaries.Dictionary`, `monosema.models.Model` and `monosema.corpus.Tokens` are such;
so is anything small enough to be worked out by hand.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from monosema.core.errors import ConfigError, MismatchError
from monosema.dictionaries.codes import SparseCodes
from monosema.models.losses import require_next_token


@runtime_checkable
class Dictionary(Protocol):
    """Reads some sites, has n_features, writes some sites; sites are laid end to end."""

    @property
    def reads(self) -> tuple[str, ...]: ...
    @property
    def writes(self) -> tuple[str, ...]: ...
    @property
    def widths_in(self) -> tuple[int, ...]: ...
    @property
    def widths_out(self) -> tuple[int, ...]: ...
    @property
    def architecture(self) -> str: ...
    @property
    def W_dec(self) -> Tensor: ...  # noqa: N802 (the field's own name)
    @property
    def keep(self) -> Tensor: ...
    def encode(self, x: Tensor) -> SparseCodes: ...
    def decode(self, codes: SparseCodes) -> Tensor: ...
    def pruned(self, keep: Tensor) -> Any: ...
    def to(self, device: str) -> Any: ...


@runtime_checkable
class Model(Protocol):
    """A language model whose sites can be read and edited."""

    @property
    def name(self) -> str: ...
    @property
    def d_vocab(self) -> int: ...
    @property
    def n_context(self) -> int: ...
    @property
    def device(self) -> torch.device: ...
    def width(self, site: str) -> int: ...
    def run(self, tokens: Tensor, read: Sequence[str], edits: Sequence[Any] = ()) -> dict[str, Tensor]: ...


@runtime_checkable
class Tokens(Protocol):
    """Held-out token blocks; `blocks` gives tokens, documents (-1 at padding) and usable, [batch, seq]."""

    @property
    def context(self) -> int: ...
    @property
    def n_blocks(self) -> int: ...
    @property
    def d_vocab(self) -> int: ...
    def blocks(self, start: int, stop: int) -> Any: ...


def sites_of(dictionaries: Mapping[str, Dictionary]) -> tuple[str, ...]:
    """Every site that some dictionary reads or writes, each once, in the order of first mention."""
    return tuple(dict.fromkeys(site for d in dictionaries.values() for site in (*d.reads, *d.writes)))


def check_fit(dictionaries: Mapping[str, Dictionary], model: Model, tokens: Tokens) -> None:
    """Raises ConfigError when there is no dictionary, MismatchError when widths, context or vocabulary
    do not fit the model, SiteError for a site that the model does not have."""
    if not dictionaries:
        raise ConfigError("there is no dictionary to score: give at least one")
    require_next_token(model, "scoring")
    if tokens.context > model.n_context or tokens.d_vocab > model.d_vocab:
        raise MismatchError(
            f"the tokens come in blocks of {tokens.context:,} from a vocabulary of {tokens.d_vocab:,}; "
            f"{model.name} takes {model.n_context:,} and {model.d_vocab:,}: pack the corpus for this model"
        )
    for name, dictionary in dictionaries.items():
        sides = ((dictionary.reads, dictionary.widths_in), (dictionary.writes, dictionary.widths_out))
        for site, width in {pair for sites, widths in sides for pair in zip(sites, widths, strict=True)}:
            if width != model.width(site):
                raise MismatchError(
                    f"dictionary '{name}' has {width} numbers at {site}, {model.name} has {model.width(site)}: "
                    "it was trained on another model"
                )
