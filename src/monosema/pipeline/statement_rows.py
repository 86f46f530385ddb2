"""Statements by name or from a file, completed, distracted, and divided so that no group is on two sides.

comparisons | FILE.csv  --form, distractor-->  Statements | Pairs  --split-->  fit | validation | test
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from monosema.core.config import require
from monosema.core.errors import ConfigError, DataError
from monosema.corpus.statements import (
    Pairs,
    Statements,
    as_pairs,
    distract,
    distractor,
    generate,
    largest,
    read,
    split,
    template,
)
from monosema.pipeline.probing_config import Form, RowsConfig

DISTRACTOR = "distractor"
"""The attribute, and the column of a file, that holds the distractor's labels."""

FILES = (".csv", ".jsonl", ".ndjson")

Rows = Statements | Pairs


@dataclass(frozen=True, eq=False)
class Parts:
    """Rows to fit on, to choose on, and to measure on: no group is in two of them."""

    fit: Rows
    validation: Rows
    test: Rows

    def __iter__(self) -> Iterator[Rows]:
        return iter((self.fit, self.validation, self.test))

    @property
    def distractor(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """The distractor's labels of the three, where there is one."""
        if DISTRACTOR not in self.fit.attributes:
            return None
        fit, validation, test = (_labels(part) for part in self)
        return fit, validation, test


def parts_of(config: RowsConfig, name: str) -> Parts:
    """The rows called `name` (a file or a set), divided as `config` says. Raises DataError and ConfigError."""
    data = _made(config, name)
    rest, test = split(data, config.held_out, config.seed, config.duplicates)
    fit, validation = split(rest, config.validation, config.seed, config.duplicates)
    parts = Parts(fit, validation, test)
    if parts.distractor is not None:
        for labels, what in zip(parts.distractor, ("fitted on", "chosen on", "held out"), strict=True):
            require(
                len(np.unique(labels)) == 2, f"all rows of {data.name} that are {what} have one label of the distractor"
            )
    return parts


def is_file(name: str) -> bool:
    return Path(name).suffix.lower() in FILES


def _made(config: RowsConfig, name: str) -> Rows:
    if not is_file(name):
        given = generate(name, min(config.n, largest(name)), config.seed)
        return completed(given, config.form, config.template, config.distractor, config.seed)
    given = read(name)
    if config.distractor and DISTRACTOR in given.attributes:
        raise ConfigError(
            f"{name} has a distractor of its own, in a column: leave out --distractor {config.distractor}"
        )
    return completed(given, config.form, config.template, config.distractor, config.seed)


def completed(data: Rows, form: Form, template_or_name: str, how: str, seed: int) -> Rows:
    """`data` in its form, and with the distractor `how` ('' for none) in, whose label is an attribute.

    A distractor of a statement goes in before it is completed, the others afterwards.
    """
    first = bool(how) and distractor(how).where == "statement" and isinstance(data, Statements)
    if first:
        data = _distracted(data, how, seed)
    if isinstance(data, Statements) and form == "pairs":
        data = as_pairs(data, template_or_name)
    elif isinstance(data, Statements) and form == "prompts":
        data = replace(data, texts=tuple(map(template(template_or_name).prompt, data.texts)))
    return _distracted(data, how, seed) if how and not first else data


def _distracted(data: Rows, how: str, seed: int) -> Rows:
    made = distract(data, how, seed)
    return replace(made.data, attributes={**made.data.attributes, DISTRACTOR: made.labels})


def _labels(part: Rows) -> Int64[np.ndarray, " n"]:
    values = part.attributes[DISTRACTOR]
    wrong = [value for value in np.unique(values) if value not in (0, 1)]
    if wrong:
        raise DataError(f"{part.name}: the column {DISTRACTOR} holds '{wrong[0]}': write 1 or 0")
    return values
