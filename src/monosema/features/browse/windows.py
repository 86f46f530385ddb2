"""The stored examples of many features at once, as columns: for files that hold all of them.

`examples` gives the same windows as rows, one object each, for pages that show a few.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from monosema.core.errors import DamagedError
from monosema.features.browse.database import Database, among, source
from monosema.features.browse.examples import GROUPS
from monosema.features.browse.rows import ExampleGroup
from monosema.features.stretches import stretches

Members = tuple[tuple[ExampleGroup, tuple[int, ...]], ...]
"""The groups of a feature, without examples, and the numbers of each one's windows among the feature's own."""


@dataclass(frozen=True)
class Windows:
    """The windows of some features, one feature after the other; a window of several groups is there once.

    groups       of each feature
    edges        windows of the i-th feature: edges[i] .. edges[i + 1]
    token_edges  tokens of the j-th window: token_edges[j] .. token_edges[j + 1]

    of a window  feature (its place among those asked for), name (of the document), pos, at (the place of the chosen
                 token), act, p_with, p_without (not a number where not measured)
    of a token   word (its place in `texts`), acts, total, direct (not a number where not measured)
    """

    groups: tuple[Members, ...]
    edges: np.ndarray
    token_edges: np.ndarray
    feature: np.ndarray
    names: tuple[str, ...]
    pos: np.ndarray
    at: np.ndarray
    act: np.ndarray
    p_with: np.ndarray
    p_without: np.ndarray
    texts: tuple[str, ...]
    word: np.ndarray
    acts: np.ndarray
    total: np.ndarray
    direct: np.ndarray

    def largest_effects(self) -> np.ndarray:
        """The largest total effect of each feature on any token of its windows; 0 where none is known."""
        known = ~np.isnan(self.total)
        largest = np.zeros(len(self.groups))
        np.maximum.at(largest, self._owner()[known], np.abs(self.total[known]))
        return largest

    def words_as(self, numbers: Sequence[int]) -> np.ndarray:
        """For each token the number that stands for its text; `numbers` are those of `texts`."""
        return np.array(numbers, dtype=np.uint32)[self.word]

    def in_steps(self, values: np.ndarray, largest: Sequence[float], n: int, absent: int) -> np.ndarray:
        """One of the columns of tokens in whole steps, `n` to the feature's `largest`; `absent` where it is not a
        number or the largest is 0."""
        scale = np.array(largest, dtype=np.float64)[self._owner()]
        known = ~np.isnan(values) & (scale > 0)
        steps = np.full(len(values), absent, dtype="<i2")
        steps[known] = np.round(n * values[known].astype(np.float64) / scale[known])
        return steps

    def _owner(self) -> np.ndarray:
        return self.feature.repeat(self.token_edges[1:] - self.token_edges[:-1])


def windows(database: Database, folder: Path, features: Sequence[int], name: Callable[[int], str]) -> Windows:
    """What examples.parquet and effects.parquet hold of some features; `name` says a document's name.

    Raises DamagedError when the two do not belong together.
    """
    path, changes = folder / "examples.parquet", folder / "effects.parquet"
    if not path.exists():
        return _none(len(features))
    found = _examples(database, path, features, name)
    return _with_effects(found, database, changes, features) if changes.exists() else found


def _none(n_features: int) -> Windows:
    whole, some = np.zeros(0, dtype=np.int64), np.zeros(0)
    return Windows(
        groups=((),) * n_features,
        edges=np.zeros(n_features + 1, dtype=np.int64),
        token_edges=np.zeros(1, dtype=np.int64),
        names=(),
        texts=(),
        **dict.fromkeys(("feature", "pos", "at", "word"), whole),
        **dict.fromkeys(("act", "p_with", "p_without", "acts", "total", "direct"), some),
    )


def _examples(database: Database, path: Path, features: Sequence[int], name: Callable[[int], str]) -> Windows:
    place = f"coalesce(list_position({list(GROUPS)}, grp), {len(GROUPS) + 1})"
    # One query for rows and lists: DuckDB promises no order of the rows, nor the same order twice.
    rows = database.arrays(
        f"SELECT feature, grp, {place} AS place, lo, hi, share, mass, rank, document, pos, start, act, texts, acts "
        f"FROM {source(path)} WHERE {among(features)}",
        files=[path],
    )
    own = _places(rows["feature"], features)
    bounds = [-np.nan_to_num(rows[name]) for name in ("hi", "lo")]
    order = np.lexsort((rows["pos"], rows["rank"], *bounds, rows["place"], own))
    rows, own = {column: values[order] for column, values in rows.items()}, own[order]
    first, window = _distinct(own, rows["pos"])
    acts = rows["acts"][first]
    texts = np.concatenate([*rows["texts"][first], np.zeros(0, dtype=object)]).tolist()
    numbers = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    edges, unknown = np.searchsorted(own[first], np.arange(len(features) + 1)), np.full(len(texts), np.nan)
    return Windows(
        groups=_groups(rows, own, window - edges[own], len(features)),
        edges=edges,
        token_edges=np.append(0, np.cumsum([len(some) for some in acts], dtype=np.int64)),
        feature=own[first],
        names=tuple(map(name, rows["document"][first].tolist())),
        pos=rows["pos"][first].astype(np.int64),
        at=rows["pos"][first].astype(np.int64) - rows["start"][first],
        act=rows["act"][first],
        p_with=np.full(len(first), np.nan),
        p_without=np.full(len(first), np.nan),
        texts=tuple(numbers),
        word=np.fromiter(map(numbers.__getitem__, texts), dtype=np.int64, count=len(texts)),
        acts=np.concatenate([*acts, np.zeros(0, dtype=np.float32)]),
        total=unknown,
        direct=unknown,
    )


def _places(feature: np.ndarray, features: Sequence[int]) -> np.ndarray:
    """Where each one stands among `features`."""
    order = np.argsort(features)
    return order[np.searchsorted(np.array(features)[order], feature)]


def _distinct(own: np.ndarray, pos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows in which a (feature, pos) is met for the first time, and for each row the number of its one."""
    _, first, inverse = np.unique(own * 2**32 + pos, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.sort(first), rank[inverse]


def _groups(rows: dict[str, np.ndarray], own: np.ndarray, window: np.ndarray, n: int) -> tuple[Members, ...]:
    """`rows` in order of feature, group and rank; `own` their features, `window` their windows' numbers."""
    bounds = [np.nan_to_num(rows[name]) for name in ("lo", "hi")]
    edge = np.ones(len(own), dtype=bool)
    edge[1:] = np.any([x[1:] != x[:-1] for x in (own, rows["place"], rows["grp"], *bounds)], axis=0)
    starts = edge.nonzero()[0]
    numbers = ([None if x != x else x for x in rows[k][starts].tolist()] for k in ("lo", "hi", "share", "mass"))
    members = [tuple(some.tolist()) for some in np.split(window, starts[1:])]
    found: list[list[tuple[ExampleGroup, tuple[int, ...]]]] = [[] for _ in range(n)]
    for feature, grp, own_members, *its in zip(
        own[starts].tolist(), rows["grp"][starts], members, *numbers, strict=True
    ):
        found[feature].append((ExampleGroup(grp, *its, examples=()), own_members))
    return tuple(map(tuple, found))


def _with_effects(found: Windows, database: Database, path: Path, features: Sequence[int]) -> Windows:
    width = "greatest(coalesce(len(dloss_total), 0), coalesce(len(dloss_direct), 0))"
    lists = ", ".join(f"{_whole(f'dloss_{name}', width)} AS {name}" for name in ("total", "direct"))
    rows = database.arrays(
        f"SELECT feature, pos, p_with, p_without, {width} AS width, {lists} "
        f"FROM {source(path)} WHERE {among(features)}",
        files=[path],
    )
    keys = found.feature * 2**32 + found.pos
    order = np.argsort(keys)
    theirs = _places(rows["feature"], features) * 2**32 + rows["pos"].astype(np.int64)
    there = np.isin(theirs, keys)
    window = order[np.searchsorted(keys[order], theirs[there])]
    own, n = np.diff(found.token_edges)[window], rows["width"][there].astype(np.int64)
    if ((n != own) & (n != 0)).any():
        raise DamagedError(
            f"{path} has effects of other windows than examples.parquet beside it: build the table again"
        )
    to = stretches(found.token_edges[window], n)[1]
    columns = {name: getattr(found, name).copy() for name in ("p_with", "p_without", "total", "direct")}
    for name in ("p_with", "p_without"):
        columns[name][window] = rows[name][there]
    for name in ("total", "direct"):
        columns[name][to] = np.concatenate([*rows[name][there], np.zeros(0)])
    return replace(found, **columns)


def _whole(column: str, width: str) -> str:
    """SQL of a list of `width` numbers: not a number where `column` has none."""
    nan = "'nan'::FLOAT"
    return f"list_resize([coalesce(x, {nan}) FOR x IN coalesce({column}, []::FLOAT[])], {width}, {nan})"
