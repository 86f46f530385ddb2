"""Which features are measured exactly: those of the largest importance to second order, and a random draw.

    removing A d from the activation changes the loss by   -A <g, d>  +  A^2 d'Hd / 2  +  ...
    summed over the places where the feature fires         sum attr   +  sum attr^2 / 2

g and H are the loss's gradient and curvature there. A model that is as often right as it claims has g = 0 on
average, given what it has read, whatever the feature: then `attr` is mostly noise, and what removal costs is the
curvature. For the same model the mean of (g, d)^2 is the mean of d'Hd (Fisher's information), so the squares of
the first-order effects, which are there for every firing, stand for it.

docs/features.md says how much better than |attr| alone that finds what is important.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monosema.core.seeding import derive
from monosema.features.tables.config import BuildConfig
from monosema.features.tables.database import Database, rows_of

RULE = "largest |sum attr + sum attr^2 / 2| over firings, and a random draw"


@dataclass(frozen=True)
class Chosen:
    """Features to be measured, in order of their number: for their estimated importance, or by lot; or for both."""

    largest: np.ndarray
    random: np.ndarray

    @property
    def features(self) -> np.ndarray:
        """All of them."""
        return np.union1d(self.largest, self.random)

    def said(self) -> dict[str, Any]:
        """Why each was chosen, as table.json holds it."""
        return {"largest": self.largest.tolist(), "random": self.random.tolist()}


def choose(ordered: Path, config: BuildConfig, database: Database) -> Chosen:
    """The choice among the features that fire and have an effect; `ordered` has the sorted entries."""
    rows = database.fetch(
        "SELECT feature, sum(attr::DOUBLE) AS first, sum(attr::DOUBLE * attr) AS squares "
        f"FROM {rows_of([ordered])} GROUP BY feature HAVING NOT isnan(sum(attr)) ORDER BY feature"
    )
    feature = rows["feature"].astype(np.int64)
    estimate = np.abs(rows["first"] + rows["squares"] / 2)
    largest = feature[np.lexsort((feature, -estimate))][: config.n_top]
    draws = np.random.default_rng(derive(config.seed, "calibration"))
    return Chosen(np.sort(largest), np.sort(draws.permutation(feature)[: config.n_calibration]))
