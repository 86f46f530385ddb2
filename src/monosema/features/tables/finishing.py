"""The last files of a table: features.parquet from its parts, and what the table says as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from monosema.core.findings import Finding, bootstrap
from monosema.core.seeding import generator
from monosema.dictionaries import Dictionary
from monosema.features.effects.estimates import mean_and_error
from monosema.features.effects.subjects import why_no_direct_effect
from monosema.features.tables.database import Database, rows_of
from monosema.features.tables.text import TableText

TOP = 10

FEATURES = """
    s.feature, s.n_active, s.frequency, s.n_documents, s.mean_act, s.max_act,
    s.importance_attr, s.importance_attr_se, m.importance_total, m.importance_total_se,
    coalesce(m.n_total_documents, 0)::UINTEGER AS n_total_documents,
    CASE WHEN s.is_dead THEN NULL ELSE coalesce(m.importance_total, s.importance_attr) / s.frequency END AS given_fires,
    s.helped, s.hurt, m.importance_direct, m.importance_direct_se, m.random_total,
    s.enc_norm, s.dec_norm, s.enc_dec_cosine, s.top_token, s.top_token_share,
    s.floor_text, s.floor_r, s.floor_f1, s.foretells,
    n.other AS neighbour, n.value AS neighbour_cosine, s.is_dead, s.is_dense
"""
MEASURED = ("importance_total", "importance_total_se", "importance_direct", "importance_direct_se", "random_total")


@dataclass(frozen=True)
class Measured:
    """Importance of the features that were measured; not a number where an effect is not defined."""

    feature: np.ndarray
    columns: dict[str, np.ndarray]
    n_documents: np.ndarray


def measured_of(
    features: np.ndarray,
    parts: Sequence[Path],
    text: TableText,
    dictionary: Dictionary,
    database: Database,
    *,
    randomly: bool,
) -> Measured:
    """What the batches come to; `randomly`: random directions were measured too."""
    n_documents = len(text.names)
    sums = {name: np.zeros((len(features), n_documents)) for name in ("total", "direct", "random")}
    seen = np.zeros((len(features), n_documents), dtype=bool)
    for part in parts:
        rows = database.fetch(f"SELECT * FROM {rows_of([part])}")
        at = (np.searchsorted(features, rows["feature"].astype(np.int64)), rows["document"].astype(np.int64))
        for name, table in sums.items():
            np.add.at(table, at, rows[name])
        seen[at] = True
    n_tokens = np.bincount(text.documents[text.counted].numpy(), minlength=n_documents)
    columns: dict[str, np.ndarray] = {}
    for name in ("total", "direct"):
        mean, error = mean_and_error(sums[name], n_tokens)
        columns |= {f"importance_{name}": mean, f"importance_{name}_se": error}
    columns["random_total"] = mean_and_error(sums["random"], n_tokens)[0]
    if not randomly:
        columns["random_total"] = np.full(len(features), np.nan)
    if why_no_direct_effect(dictionary.writes):
        columns |= {name: np.full(len(features), np.nan) for name in ("importance_direct", "importance_direct_se")}
    return Measured(features, columns, seen.sum(1))


def write_features(
    scalars: Sequence[Path], neighbours: Path | None, measured: Measured | None, path: Path, database: Database
) -> None:
    """Write features.parquet; without what is not there yet, its columns are NULL."""
    at = measured or Measured(np.zeros(0, dtype=np.int64), {name: np.zeros(0) for name in MEASURED}, np.zeros(0, int))
    given = {
        "feature": at.feature.astype(np.uint32),
        "n_total_documents": at.n_documents.astype(np.uint32),
        **at.columns,
    }
    nulls = ", ".join(f"CASE WHEN isnan({name}) THEN NULL ELSE {name} END AS {name}" for name in MEASURED)
    near = "SELECT 0::UINTEGER AS feature, 0::UINTEGER AS other, 0::FLOAT AS value LIMIT 0"
    if neighbours is not None:
        near = f"SELECT feature, other, value FROM {rows_of([neighbours])} WHERE kind = 'decoder' AND rank = 0"
    query = (
        f"SELECT {FEATURES} FROM {rows_of(scalars)} s "
        f"LEFT JOIN (SELECT feature, n_total_documents, {nulls} FROM given) m USING (feature) "
        f"LEFT JOIN ({near}) n USING (feature) ORDER BY s.feature"
    )
    database.write(path, query, given)


@dataclass(frozen=True)
class Side:
    """Numbers of a table, or of its control's, that findings are made of.

    calibration    features drawn at random    same_contexts  their importance to first order, estimated
                                                              from the contexts behind their total
    """

    calibration: np.ndarray
    same_contexts: np.ndarray
    feature: np.ndarray
    total: np.ndarray
    random: np.ndarray
    floor_r: np.ndarray

    @staticmethod
    def of(features: Path, calibration: np.ndarray, same_contexts: np.ndarray, database: Database) -> "Side":
        """From a features.parquet; NULL is not a number."""
        rows = database.fetch(
            "SELECT feature, importance_total AS total, random_total AS random, "
            f"floor_r::DOUBLE AS floor_r FROM {rows_of([features])} ORDER BY feature"
        )
        columns = {name: rows[name] for name in ("feature", "total", "random", "floor_r")}
        return Side(calibration, same_contexts, **columns)

    def top(self) -> np.ndarray:
        """The TOP largest total importances."""
        return np.sort(self.total[~np.isnan(self.total)])[::-1][:TOP].copy()


def findings(side: Side, control: Side | None, control_is: str, seed: int) -> list[Finding]:
    """What the table says, each beside its control. A finding that has no two features is left out.

    importance_top10       mean total importance of the ten most important features measured
    importance_calibration mean total importance of features drawn at random among those that fire; its
                           control is a random direction of the same norm, taken off where each fires
    attr_total_correlation Pearson correlation of first-order and total importance over the same features,
                           both from the contexts that were drawn for the total
    floor_r                mean held-out correlation of the floor of tokens and pairs with the feature
    """
    its = side.calibration
    drawn = None if control is None else (control.same_contexts, control.total[control.calibration])
    found = [
        _mean("importance_top10", side.top(), None if control is None else control.top(), control_is, seed),
        _mean(
            "importance_calibration",
            side.total[its],
            side.random[its],
            "a random direction of the same norm, taken off where the feature fires",
            seed,
        ),
        _correlation((side.same_contexts, side.total[its]), drawn, control_is, seed),
        _mean("floor_r", side.floor_r, None if control is None else control.floor_r, control_is, seed),
    ]
    return [finding for finding in found if finding is not None]


def _mean(name: str, values: np.ndarray, control: np.ndarray | None, control_is: str, seed: int) -> Finding | None:
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return None
    terms = torch.stack([torch.from_numpy(values.astype(np.float64)), torch.ones(len(values)).double()], dim=1)
    value, low, high = bootstrap(terms, lambda s: s[..., 0] / s[..., 1], generator(seed, "table", name))
    there = control[~np.isnan(control)] if control is not None else np.zeros(0)
    other = float(there.mean()) if len(there) else None
    return Finding(name, value, other, control_is, low, high, len(values), "features")


def _correlation(
    pair: tuple[np.ndarray, np.ndarray], control: tuple[np.ndarray, np.ndarray] | None, control_is: str, seed: int
) -> Finding | None:
    terms = _moments(*pair)
    if len(terms) < 3:
        return None
    name = "attr_total_correlation"
    value, low, high = bootstrap(terms, _pearson, generator(seed, "table", name))
    other = None if control is None else float(_pearson(_moments(*control).sum(0)))
    other = None if other is None or other != other else other
    return Finding(name, value, other, control_is, low, high, len(terms), "features")


def _moments(x: np.ndarray, y: np.ndarray) -> torch.Tensor:
    """Scaled, so that sums of squares of tiny importances keep their digits."""
    both = ~(np.isnan(x) | np.isnan(y))
    a, b = (z[both] / max(float(np.abs(z[both]).max(initial=0.0)), 1e-300) for z in (x, y))
    return torch.from_numpy(np.stack([np.ones(len(a)), a, b, a * a, b * b, a * b], axis=1))


def _pearson(sums: torch.Tensor) -> torch.Tensor:
    n, x, y, xx, yy, xy = sums.unbind(-1)
    return (n * xy - x * y) / ((n * xx - x * x).clamp(min=0) * (n * yy - y * y).clamp(min=0)).sqrt()
