"""What `monosema circuit` is asked of: a run's model with its dictionaries, one for each site."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monosema.circuits.features.parts import Part, parts_of
from monosema.core.errors import ConfigError, unknown
from monosema.corpus import Tokenizer
from monosema.models import Model
from monosema.pipeline.exploring import open_model


@dataclass(frozen=True)
class Opened:
    """A run's model, its tokenizer, and the sites that its dictionaries take apart."""

    model: Model
    tokenizer: Tokenizer
    parts: tuple[Part, ...]
    names: tuple[str, ...]


def open_parts(run: Path, asked: Sequence[str] = ()) -> Opened:
    """The dictionaries named by `asked`, or all of the run where no two write one site.

    Raises RunError when the run has none, ConfigError for a name that it has not and when several write one site, and
    what `open_model` and `parts_of` raise.
    """
    model, tokenizer, dictionaries = open_model(run)
    for name in asked:
        if name not in list(dictionaries):
            raise ConfigError(unknown("dictionary", name, dictionaries))
    names = tuple(name for name in dictionaries if not asked or name in asked)
    written: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        written.setdefault(dictionaries[name].writes, []).append(name)
    if several := next((some for some in written.values() if len(some) > 1), None):
        raise ConfigError(
            f"{', '.join(several)} all write {' + '.join(dictionaries[several[0]].writes)}: say which one, by "
            "--dictionaries"
        )
    return Opened(model, tokenizer, parts_of(model, [dictionaries[name] for name in names]), names)
