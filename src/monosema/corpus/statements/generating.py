"""From a set of the table to statements: so many rows, half of them true, no two the same."""

from collections.abc import Sequence
from random import Random

import numpy as np

from monosema.core.config import require_range
from monosema.core.errors import DataError
from monosema.core.seeding import derive
from monosema.corpus.statements.labelled import Statements
from monosema.corpus.statements.source import Claim, Source
from monosema.corpus.statements.table import source


def generate(name: str, n: int, seed: int = 0) -> Statements:
    """`n` different statements of the set `name`, n // 2 of them true, in mixed order and every wording.

    Attributes: `wording`, and what the set knows of its rows. The same arguments give the same rows on every
    machine. Raises DataError when the set has not so many.
    """
    made = source(name)
    numbers = _drawn(name, made, n, seed, made.wordings)
    claims = [made.claim(true, *divmod(i, made.wordings)) for true, i in numbers]
    wordings = np.array([i % made.wordings for _, i in numbers], dtype=np.int64)
    return _statements(name, claims, numbers, {"wording": wordings})


def paraphrase(name: str, n: int, seed: int = 0) -> tuple[Statements, ...]:
    """`n` different claims of the set `name`, n // 2 of them true, in each of its wordings: row i of all says
    the same. Raises DataError when the set has not so many."""
    made = source(name)
    numbers = _drawn(name, made, n, seed, 1)
    return tuple(
        _statements(name, [made.claim(true, i, wording) for true, i in numbers], numbers, {})
        for wording in range(made.wordings)
    )


def largest(name: str) -> int:
    """The largest even n that `generate` can be asked for."""
    made = source(name)
    return 2 * made.wordings * min(made.count(True), made.count(False))


def _drawn(name: str, made: Source, n: int, seed: int, wordings: int) -> list[tuple[bool, int]]:
    require_range("n", n, 2)
    random = Random(derive(seed, "statements", name))
    numbers: list[tuple[bool, int]] = []
    for true, wanted in ((True, n // 2), (False, n - n // 2)):
        there = made.count(true) * wordings
        if wanted > there:
            what = "true" if true else "false"
            raise DataError(
                f"{name} has {there:,} {what} statements, n={n:,} needs {wanted:,}: give n of at most "
                f"{2 * wordings * min(made.count(True), made.count(False)):,}"
            )
        numbers += [(true, i) for i in random.sample(range(there), wanted)]
    random.shuffle(numbers)
    return numbers


def _statements(
    name: str, claims: Sequence[Claim], numbers: Sequence[tuple[bool, int]], more: dict[str, np.ndarray]
) -> Statements:
    attributes = {key: np.array([claim.attributes[key] for claim in claims]) for key in claims[0].attributes}
    labels = np.array([true for true, _ in numbers], dtype=np.int64)
    texts, groups = tuple(claim.text for claim in claims), tuple(claim.group for claim in claims)
    return Statements(name, texts, labels, groups, attributes | more)
