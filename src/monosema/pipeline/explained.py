"""What a check takes over from `monosema explain`: the scores of explanations less those of the n-gram floor."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from monosema.core.fingerprints import of_file
from monosema.core.runs import Run, read_json
from monosema.evaluation.checks import OWN, Measure, Missing
from monosema.evaluation.contrasts import matched, mean_over
from monosema.features.explaining.config import BASELINES
from monosema.features.explaining.results import ScoreRow, read_rows
from monosema.features.tables.database import Database
from monosema.pipeline.records import Prints

SCORE = "detection"
MEMORY_MB = 256


def explanation_measures(run: Run, name: str, fingerprint: str, seed: int) -> tuple[Measure, ...]:
    """The detection score of each explainer that is no baseline, beside the floor on the same windows; a measure
    without a value, which says why, where there is none of this very dictionary."""
    folder = run.path / "features" / name
    if not (folder / "table.json").exists():
        return (_nothing("it has no feature table: `monosema features`, then `monosema explain` make explanations"),)
    if read_json(folder / "table.json").get("dictionary_fingerprint") != fingerprint:
        return (_nothing("its feature table is of another dictionary: run `monosema features` again"),)
    return of_folder(folder, run.path / "check" / "spill", seed)


def explanation_prints(run: Run, names: Sequence[str]) -> Prints:
    """The fingerprints of what `monosema explain` wrote of these dictionaries."""
    paths = {name: run.path / "features" / name / "explanations.json" for name in names}
    return {f"features/{name}/explanations": of_file(path) for name, path in paths.items() if path.exists()}


def of_folder(folder: Path, spill: Path, seed: int) -> tuple[Measure, ...]:
    """The same from the folder of a feature table."""
    with Database(MEMORY_MB, spill) as database:
        rows = [row for row in read_rows(ScoreRow, folder, database) if row.score == SCORE]
    explainers = sorted({row.explainer for row in rows} - set(BASELINES))
    if not explainers:
        return (_nothing("there are none but the baselines: `monosema explain RUN --base-url` asks a language model"),)
    return tuple(_measure([row for row in rows if row.explainer == explainer], seed) for explainer in explainers)


def _measure(rows: list[ScoreRow], seed: int) -> Measure:
    values, margins = (
        np.array([np.nan if number is None else number for number in numbers], dtype=np.float64)
        for numbers in ([row.value for row in rows], [row.margin for row in rows])
    )
    ends = mean_over(values, seed)
    n = int((~np.isnan(values)).sum())
    return Measure("explanation", OWN, *ends, n, "features", (matched("floor", values, values - margins, seed),))


def _nothing(why: str) -> Measure:
    nan = float("nan")
    return Measure("explanation", OWN, nan, nan, nan, 0, "features", (), (Missing("floor", why),))
