"""`monosema features`: a table of every feature, with what each does to the loss."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg

from monosema.cli.showing import Grid, Outcome
from monosema.core.runs import open_run, read_json
from monosema.features.tables.config import BuildConfig

SHOWN = 10


@dataclass(frozen=True)
class Arguments:
    """Make a feature table of every dictionary of RUN: RUN/features/NAME, Parquet files that DuckDB opens.

    What each feature fires on and what removing it does to the model's loss, beside the same on the
    randomised model. A killed build goes on when the command is repeated.
    """

    run: Positional[Path]
    """Run directory with dictionaries."""
    names: UseAppendAction[tuple[str, ...]] = ()
    """Which dictionaries; again for several. Default: all."""
    build: Annotated[BuildConfig, arg(name="")] = field(default_factory=BuildConfig)
    json: FlagCreatePairsOff[bool] = False
    """Print JSON."""


def run(arguments: Arguments) -> Outcome:
    """Build the tables, and show the most important features of the first."""
    run = open_run(arguments.run)
    run.require("train")
    from monosema.pipeline.feature_stage import tables_stage

    folders = tables_stage(run, arguments.build, arguments.names)
    manifests = {name: read_json(folder / "table.json") for name, folder in folders.items()}
    first = next(iter(folders))
    return Outcome(
        wrote=tuple(folders.values()),
        next=f"monosema dash {arguments.run}",
        result={name: _result(manifests[name], most_important(folder)) for name, folder in folders.items()},
        shown=table_shown(folders[first]),
    )


def table_shown(folder: Path) -> tuple[Any, ...]:
    """What is said of a table: its size, its most important features, its findings."""
    manifest = read_json(folder / "table.json")
    return (_about(manifest), _grid(most_important(folder), manifest), *_said(manifest))


def most_important(folder: Path, n: int = SHOWN) -> list[dict[str, Any]]:
    """The features of the largest total importance that was measured, the largest first."""
    import duckdb

    query = (
        "SELECT feature, importance_total, importance_total_se, random_total, importance_attr, frequency, floor_text "
        "FROM read_parquet(?) WHERE importance_total IS NOT NULL ORDER BY importance_total DESC, feature LIMIT ?"
    )
    with duckdb.connect(":memory:") as connection:
        cursor = connection.execute(query, [_literally(folder / "features.parquet"), n])
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _literally(path: Path) -> str:
    import glob

    return glob.escape(str(path))


def _about(manifest: dict[str, Any]) -> str:
    tokens = f"{manifest['n_tokens']:,} tokens of {manifest['n_documents']:,} documents"
    missing = "".join(f"; no {kind} effect: {why}" for kind, why in manifest["effects"].items() if why)
    return (
        f"{manifest['dictionary']}: {manifest['n_features']:,} features, {manifest['n_dead']:,} dead, {tokens}{missing}"
    )


def _grid(rows: Sequence[dict[str, Any]], manifest: dict[str, Any]) -> Grid:
    """Importance in nats per thousand tokens; its control is a random direction of the same norm."""
    total = manifest["n_features"]
    headings = ("feature", "importance", "+-", "random direction", "to first order", "frequency", "fires on")
    shown = [
        [
            f"{row['feature']} of {total:,}",
            *(f"{1000 * row[name]:.2f}" for name in ("importance_total", "importance_total_se", "random_total")),
            f"{1000 * row['importance_attr']:.2f}",
            f"{row['frequency']:.2%}",
            row["floor_text"] or "no token in particular",
        ]
        for row in rows
    ]
    return Grid(headings, shown, frozenset(headings[:-1]))


def _said(manifest: dict[str, Any]) -> list[str]:
    from monosema.core.config import from_json
    from monosema.core.findings import Finding

    said = [from_json(Finding, finding) for finding in manifest["findings"]]
    return ["importance in nats per 1,000 tokens", *(f"{finding.name} {finding}" for finding in said)]


def _result(manifest: dict[str, Any], top: list[dict[str, Any]]) -> dict[str, Any]:
    kept = ("n_features", "n_dead", "n_tokens", "n_documents", "effects", "findings")
    return {name: manifest[name] for name in kept} | {"most_important": top}
