"""What explanations come to, as rows of Parquet files and as lines that set a dictionary beside its control.

    explanations.parquet         (feature, explainer)          text, whether it failed and why
    explanation_scores.parquet   (feature, explainer, score)   value, interval, shuffled, margin over the floor
    explanations.json            what they were made of and with; the lines; what an endpoint was asked

NULL: not measured, not defined, or failed; never 0.
"""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from monosema.core.config import from_json, to_json
from monosema.core.errors import ConfigError, DamagedError
from monosema.core.findings import RESAMPLES, Finding
from monosema.core.runs import read_json, write_json
from monosema.core.seeding import generator
from monosema.features.tables.database import Database, rows_of

FORMAT = 1

State = Literal["done", "undefined", "failed"]


@dataclass(frozen=True)
class Explanation:
    """One explanation of one feature; `reason` says why it failed."""

    feature: int
    explainer: str
    text: str
    state: str
    reason: str = ""


@dataclass(frozen=True)
class ScoreRow:
    """One score of one explanation.

    value            None where it failed or is not defined, which `state` and `reason` say
    low, high        95% interval over documents
    n                windows, or questions of the intruder
    shuffled         the same score, on the same windows, of the explanation of another feature
    margin           value less the floor's, on the same windows; with its interval
    """

    feature: int
    explainer: str
    score: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    shuffled: float | None
    margin: float | None
    margin_low: float | None
    margin_high: float | None
    state: str
    reason: str = ""


@dataclass(frozen=True)
class Line:
    """One score of one explainer over all features it was made for.

    finding    mean over the dictionary's features, beside the mean over the control's
    control_*  interval of the latter, over `n_control` features
    gap        the first mean less the second; it tells the two apart where its interval is beside 0
    above      mean of value less the shuffled explanation's, over the `n_shuffled` features that have both
    shuffled   mean of the shuffled explanations' scores
    n_failed   features without it because a question failed
    """

    explainer: str
    score: str
    finding: Finding
    control_low: float
    control_high: float
    n_control: int
    gap: float
    gap_low: float
    gap_high: float
    shuffled: float
    above: float
    above_low: float
    above_high: float
    n_shuffled: int
    n_failed: int

    @property
    def tells_apart(self) -> bool:
        """Whether the dictionary scores higher than its control, beyond chance."""
        return self.gap_low > 0


Row = TypeVar("Row", Explanation, ScoreRow)

_TYPES = {"feature": "UINTEGER", "n": "UINTEGER"}
_TEXTS = {"explainer", "score", "text", "state", "reason"}
NAMES: dict[type, str] = {Explanation: "explanations", ScoreRow: "explanation_scores"}
"""The file of each kind of row, without its ending."""


def write_rows(rows: Sequence[Row], kind: type[Row], folder: Path, database: Database) -> Path:
    """Write rows to their file in `folder`, whole or not at all."""
    names = [f.name for f in fields(kind)]
    columns: dict[str, np.ndarray] = {}
    for name, values in zip(
        names, zip(*(astuple(row) for row in rows), strict=True) if rows else [()] * len(names), strict=True
    ):
        if name in _TEXTS:
            columns[name] = np.array(values, dtype=object)
        else:
            columns[name] = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    chosen = ", ".join(_selected(name) for name in names)
    path = folder / f"{NAMES[kind]}.parquet"
    database.write(path, f"SELECT {chosen} FROM given", columns)
    return path


def _selected(name: str) -> str:
    if name in _TEXTS:
        return f"{name}::VARCHAR AS {name}"
    if name in _TYPES:
        return f"{name}::{_TYPES[name]} AS {name}"
    return f"CASE WHEN isnan({name}) THEN NULL ELSE {name} END AS {name}"


def read_rows(kind: type[Row], folder: Path, database: Database) -> list[Row]:
    """The rows in `folder`; none where there is no such file."""
    path = folder / f"{NAMES[kind]}.parquet"
    if not path.exists():
        return []
    names = [f.name for f in fields(kind)]
    found = database.fetch(f"SELECT {', '.join(names)} FROM {rows_of([path])}")
    columns = [[_plain(name, value) for value in found[name].tolist()] for name in names]
    return [kind(*values) for values in zip(*columns, strict=True)]


def _plain(name: str, value: Any) -> Any:
    if name in _TYPES:
        return int(value)
    return None if isinstance(value, float) and np.isnan(value) else value


def with_shuffled(old: Iterable[ScoreRow], new: Iterable[ScoreRow]) -> list[ScoreRow]:
    """The new rows; one without a shuffled explanation, because its feature was asked for alone, keeps the old one."""
    known = {(row.feature, row.explainer, row.score): row.shuffled for row in old}
    rows = list(new)
    keys = [(row.feature, row.explainer, row.score) for row in rows]
    return [
        replace(row, shuffled=known.get(key)) if row.shuffled is None else row
        for row, key in zip(rows, keys, strict=True)
    ]


def merged(old: Iterable[Row], new: Iterable[Row]) -> list[Row]:
    """The new rows, and the old ones of other features or explainers; by feature."""
    new = list(new)
    again = {(row.feature, row.explainer) for row in new}
    both = [*(row for row in old if (row.feature, row.explainer) not in again), *new]
    return sorted(both, key=lambda row: (row.feature, row.explainer))


def lines(trained: Sequence[ScoreRow], control: Sequence[ScoreRow], control_is: str, seed: int) -> list[Line]:
    """A line for every explainer and score, in the order in which they were first met. Without a control its numbers
    are not a number."""
    keys = dict.fromkeys((row.explainer, row.score) for row in trained)
    return [_line(key, trained, control, control_is, seed) for key in keys]


def _line(
    key: tuple[str, str], trained: Sequence[ScoreRow], control: Sequence[ScoreRow], control_is: str, seed: int
) -> Line:
    rows, others = ([r for r in side if (r.explainer, r.score) == key] for side in (trained, control))
    values, against = (torch.tensor([r.value for r in side if r.value is not None]).double() for side in (rows, others))
    pairs = [(r.value, r.shuffled) for r in rows if r.value is not None and r.shuffled is not None]
    both = torch.tensor(pairs).double().reshape(-1, 2)
    draws = [
        _means(v, generator(seed, "lines", *key, which)) for which, v in (("trained", values), ("control", against))
    ]
    mean, other = _mean(values), _mean(against)
    low, high = _ends(draws[0])
    there = None if np.isnan(other) else other
    finding = Finding("_".join(key), mean, there, control_is, low, high, len(values), "features")
    above = both[:, 0] - both[:, 1]
    return Line(
        *key,
        finding,
        *_ends(draws[1]),
        len(against),
        mean - other,
        *_ends(draws[0] - draws[1]),
        _mean(both[:, 1]),
        _mean(above),
        *_ends(_means(above, generator(seed, "lines", *key, "shuffled"))),
        len(both),
        sum(r.state == "failed" for r in rows),
    )


def _mean(values: Float64[Tensor, "feature"]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _means(values: Float64[Tensor, "feature"], random: torch.Generator) -> Float64[Tensor, "resample"]:
    """The means of resamples of the features; not numbers for fewer than two."""
    if len(values) < 2:
        return torch.full((RESAMPLES,), torch.nan, dtype=torch.float64)
    found = [
        values[torch.randint(len(values), (50, len(values)), generator=random)].mean(1) for _ in range(RESAMPLES // 50)
    ]
    return torch.cat(found)


def _ends(draws: Float64[Tensor, "resample"]) -> tuple[float, float]:
    low, high = torch.quantile(draws, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return low, high


def write_summary(folder: Path, about: dict[str, Any], said: dict[str, Any], found: Sequence[Line]) -> Path:
    """Write explanations.json: the last of the files, without which the others are not shown."""
    path = folder / "explanations.json"
    write_json(path, {"format": FORMAT, "about": about, **said, "lines": [to_json(line) for line in found]})
    return path


def read_summary(folder: Path) -> dict[str, Any]:
    """What `write_summary` wrote; {} where there is none or of another format. Raises DamagedError."""
    path = folder / "explanations.json"
    if not path.exists():
        return {}
    data = read_json(path)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        return {}
    try:
        data["lines"] = [from_json(Line, line) for line in data["lines"]]
    except (ConfigError, KeyError) as error:
        raise DamagedError(f"{path} does not read ({error}): run `monosema explain RUN` again") from error
    return data
