"""The stored examples of one feature, in groups, with what removing the feature changes at each."""

from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from monosema.features.browse.database import Database, source
from monosema.features.browse.rows import Changed, Example, ExampleEffect, ExampleGroup

GROUPS = ("top", "interval", "quantile", "random active", "random inactive", "most helpful", "most harmful")
"""The groups in the order in which they are shown; intervals and quantiles from the strongest down."""

Text = Callable[[int], str]


def groups(database: Database, folder: Path, feature: int, text: Text, name: Text) -> tuple[ExampleGroup, ...]:
    """What examples.parquet and effects.parquet hold of a feature; () while there is no such file."""
    path, changes = folder / "examples.parquet", folder / "effects.parquet"
    if not path.exists():
        return ()
    found = database.rows(f"SELECT * FROM {source(path)} WHERE feature = ?", [feature], [path])
    effects: dict[int, ExampleEffect] = {}
    if changes.exists():
        rows = database.rows(f"SELECT * FROM {source(changes)} WHERE feature = ?", [feature], [changes])
        effects = {row["pos"]: _effect(row, text) for row in rows}
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
