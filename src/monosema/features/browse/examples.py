"""The stored examples of some features, in groups, with what removing the feature changes at each."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from monosema.features.browse.database import Database, among, source
from monosema.features.browse.rows import Changed, Example, ExampleEffect, ExampleGroup

GROUPS = ("top", "interval", "quantile", "random active", "random inactive", "most helpful", "most harmful")
"""The groups in the order in which they are shown; intervals and quantiles from the strongest down."""

Text = Callable[[int], str]


def groups(
    database: Database, folder: Path, features: Sequence[int], text: Text, name: Text
) -> dict[int, tuple[ExampleGroup, ...]]:
    """What examples.parquet and effects.parquet hold of some features; () of each while there is no such file."""
    path, changes = folder / "examples.parquet", folder / "effects.parquet"
    if not path.exists():
        return dict.fromkeys(features, ())
    found = _by_feature(database, path, features)
    effects = _by_feature(database, changes, features) if changes.exists() else {}
    return {
        feature: _grouped(found.get(feature, []), effects.get(feature, []), text, name)
        for feature in dict.fromkeys(features)
    }


def _by_feature(database: Database, path: Path, features: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    rows: dict[int, list[dict[str, Any]]] = {}
    for row in database.rows(f"SELECT * FROM {source(path)} WHERE {among(features)}", files=[path]):
        rows.setdefault(row["feature"], []).append(row)
    return rows


def _grouped(
    found: list[dict[str, Any]], changes: list[dict[str, Any]], text: Text, name: Text
) -> tuple[ExampleGroup, ...]:
    effects = {row["pos"]: _effect(row, text) for row in changes}
    found.sort(key=_place)
    return tuple(
        ExampleGroup(first["grp"], first["lo"], first["hi"], first["share"], first["mass"], examples)
        for first, examples in (
            (members[0], tuple(_example(row, effects, name) for row in members)) for members in _members(found)
        )
    )


def _members(found: list[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    return (list(members) for _, members in groupby(found, key=lambda row: (row["grp"], row["lo"], row["hi"])))


def _place(row: dict[str, Any]) -> tuple[int, float, int]:
    group = GROUPS.index(row["grp"]) if row["grp"] in GROUPS else len(GROUPS)
    return group, -row["lo"] if row["lo"] is not None else 0.0, row["rank"]


def _example(row: dict[str, Any], effects: dict[int, ExampleEffect], name: Text) -> Example:
    return Example(
        document=row["document"],
        name=name(row["document"]),
        pos=row["pos"],
        start=row["start"],
        at=row["pos"] - row["start"],
        act=row["act"],
        texts=tuple(row["texts"]),
        ids=tuple(row["ids"]),
        acts=tuple(row["acts"]),
        effect=effects.get(row["pos"]),
    )


def _effect(row: dict[str, Any], text: Text) -> ExampleEffect:
    def changed(listed: list[dict[str, Any]] | None) -> tuple[Changed, ...]:
        return tuple(Changed(c["token"], text(c["token"]), c["delta"]) for c in listed or ())

    return ExampleEffect(
        total=tuple(row["dloss_total"] or ()),
        direct=tuple(row["dloss_direct"] or ()),
        p_with=row["p_with"],
        p_without=row["p_without"],
        up=changed(row["up"]),
        down=changed(row["down"]),
    )
