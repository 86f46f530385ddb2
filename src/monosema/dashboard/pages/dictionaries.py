"""Which dictionaries there are, and how good they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monosema.core.findings import Finding
from monosema.dashboard.cells import cell, decimals_of
from monosema.dashboard.charts import bars, outline
from monosema.dashboard.library import Broken, Place
from monosema.dashboard.numbers import count
from monosema.dashboard.pages.asking import Asked, address
from monosema.features.browse import FeatureTable
from monosema.features.browse.manifest import Manifest
from monosema.features.browse.rows import Scatter

HEADLINES = {
    "l0": "L0",
    "variance_explained": "variance explained",
    "loss_recovered_zero": "loss recovered (zero)",
    "loss_recovered_mean": "loss recovered (mean)",
}
"""The metrics of the scorecard that stand here."""

WIDTH, HEIGHT = 300, 84


@dataclass(frozen=True)
class DictionaryRow:
    """One dictionary: what it is, how often its features fire, its scores, its scatter."""

    run: str
    dictionary: str
    manifest: Manifest
    counts: Mapping[str, int]
    n_labelled: int
    frequencies: tuple[int, ...]
    control_frequencies: tuple[int, ...]
    scores: tuple[tuple[str, Finding], ...]
    scatter: Scatter


@dataclass(frozen=True)
class Dictionaries:
    """Everything the server shows."""

    rows: tuple[DictionaryRow, ...]
    broken: tuple[Broken, ...]


def rows(asked: Asked) -> Dictionaries:
    """A row for each dictionary of each run."""
    asked.only()
    places, broken = asked.library.places()
    return Dictionaries(tuple(_row(asked, place) for place in places), tuple(broken))


def _row(asked: Asked, place: Place) -> DictionaryRow:
    card = asked.library.scorecard(place.run)
    scored = card.findings.get(place.dictionary, {}) if card else {}
    return row_of(place.run, place.table, scored, len(place.current()))


def row_of(run: str, table: FeatureTable, scored: Mapping[str, Finding], n_labelled: int) -> DictionaryRow:
    """The row of a table; `scored` are its dictionary's lines of a scorecard."""
    return DictionaryRow(
        run=run,
        dictionary=table.path.name,
        manifest=table.manifest,
        counts=table.overview.counts,
        n_labelled=n_labelled,
        frequencies=table.overview.frequencies,
        control_frequencies=table.overview.control_frequencies,
        scores=tuple((HEADLINES[name], scored[name]) for name in HEADLINES if name in scored),
        scatter=table.overview.scatter,
    )


def view(found: Dictionaries, asked: Asked) -> Mapping[str, Any]:
    """A card for each."""
    cards = [_card(row, asked.library.place(row.run, row.dictionary)) for row in found.rows]
    return {"cards": cards, "broken": found.broken, "n_runs": len(asked.library.runs)}


def _card(row: DictionaryRow, place: Place) -> dict[str, Any]:
    return {"row": row, "features": address(place, "features"), **described(row)}


def described(row: DictionaryRow) -> dict[str, Any]:
    """What a card shows of a dictionary, wherever it stands."""
    manifest, counts = row.manifest, row.counts
    reads, writes = " + ".join(manifest.reads), " + ".join(manifest.writes)
    findings = [*row.scores, *((finding.name.replace("_", " "), finding) for finding in manifest.findings)]
    n_alive = sum(row.frequencies)
    says = f"{count(n_alive)} features that fire, from 1 in 10 million tokens to all of them"
    return {
        "manifest": manifest,
        "site": reads if reads == writes else f"{reads} → {writes}",
        "facts": [
            ("features", count(manifest.n_features)),
            ("dead", count(counts.get("dead", 0))),
            ("dense", count(counts.get("dense", 0))),
            ("ultra-rare", count(counts.get("rare", 0))),
            ("tokens", count(manifest.n_tokens)),
            ("labelled", count(row.n_labelled)),
        ],
        "scores": [(name, cell(f, decimals_of([f])), str(f)) for name, f in findings],
        "histogram": bars(row.frequencies, WIDTH, HEIGHT, says),
        "outline": outline(row.control_frequencies, WIDTH, HEIGHT) if row.control_frequencies else "",
        "cloud": cloud(row.scatter, WIDTH, HEIGHT),
        "missing": {kind: why for kind, why in manifest.effects.items() if why},
    }


def cloud(scatter: Scatter, width: int, height: int) -> dict[str, Any]:
    """The scatter as three SVG paths, from sparse to crowded cells, and where zero is on its vertical axis."""
    across, down = width / scatter.x.n_cells, height / scatter.y.n_cells
    paths = ["", "", ""]
    for found in scatter.cells:
        x, y = found.x * across, height - (found.y + 1) * down
        paths[0 if found.n < 2 else 1 if found.n < 5 else 2] += f"M{x:.1f} {y:.1f}h3v3h-3z"
    return {"paths": paths, "width": width, "height": height, "n": sum(c.n for c in scatter.cells)}
