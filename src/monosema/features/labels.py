"""What people say about features: labels, comments, ratings, lists and saved views, in RUN/labels.sqlite.

    LabelStore(path).add(Label(...))    appended, never overwritten: what is shown is each rater's latest
    .current(dictionary, fingerprint)   one label a feature, of whoever wrote last
    .agreement(...)                     do raters agree, beyond chance?
    .to_jsonl(path)                     everything, one JSON object a line

SQLite in WAL mode with full synchronisation: several processes write at once and wait for each other, and
what `add` returned from has reached the disk. A build never touches this file. Imports no torch.
"""

import json
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, astuple, dataclass, fields
from itertools import combinations
from pathlib import Path

from monosema.core.config import require, require_range
from monosema.core.errors import DamagedError
from monosema.core.runs import write_text

WAIT_SECONDS = 30.0
"""How long a writer waits for others before it gives up."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS labels (
    id INTEGER PRIMARY KEY, dictionary TEXT NOT NULL, fingerprint TEXT NOT NULL, feature INTEGER NOT NULL,
    rater TEXT NOT NULL, label TEXT NOT NULL, comment TEXT NOT NULL, rating INTEGER, at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS labels_by_feature ON labels (dictionary, feature);
CREATE TABLE IF NOT EXISTS lists (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, dictionary TEXT NOT NULL, feature INTEGER NOT NULL,
    member INTEGER NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS views (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, dictionary TEXT NOT NULL, query TEXT NOT NULL, at TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Label:
    """What one rater says of one feature. `rating`: how clearly it means one thing, 1 (nothing to see) to 5.

    `fingerprint` is the dictionary's: a label of a dictionary that was trained anew is kept and not shown.
    `at` is set when it is stored.
    """

    dictionary: str
    fingerprint: str
    feature: int
    rater: str
    label: str = ""
    comment: str = ""
    rating: int | None = None
    at: str = ""

    def __post_init__(self) -> None:
        require_range("feature", self.feature, 0)
        require(0 < len(self.rater) <= 60, f"the rater's name has {len(self.rater)} characters: 1 to 60")
        require(len(self.label) <= 500, f"the label has {len(self.label)} characters: at most 500")
        require(len(self.comment) <= 5000, f"the comment has {len(self.comment)} characters: at most 5,000")
        require(self.rating in (None, 1, 2, 3, 4, 5), f"the rating is {self.rating}: it must be 1 to 5, or none")


@dataclass(frozen=True)
class View:
    """A query with a name."""

    name: str
    dictionary: str
    query: str
    at: str


@dataclass(frozen=True)
class Agreement:
    """Do raters agree on the ratings of the features that at least two of them rated?

    alpha  Krippendorff's alpha with squared differences of ratings: 1 - observed / expected disagreement;
           1 is full agreement, 0 what chance gives; None when fewer than two raters or ratings differ nowhere
    exact  share of pairs of ratings of one feature that are equal
    Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011).
    """

    n_features: int
    n_raters: int
    exact: float | None
    alpha: float | None


class LabelStore:
    """The labels of a run. Opens the file for each call, so that any thread or process may use it."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def add(self, label: Label) -> Label:
        """Store `label`, and return it with its time, once it is on the disk."""
        stored = Label(**{**asdict(label), "at": _now()})
        with self._open() as db:
            names = ", ".join(field.name for field in fields(Label))
            db.execute(f"INSERT INTO labels ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(stored))
        return stored

    def of_feature(self, dictionary: str, fingerprint: str, feature: int) -> tuple[Label, ...]:
        """Each rater's latest word on a feature, the newest first."""
        return self._latest("dictionary = ? AND fingerprint = ? AND feature = ?", dictionary, fingerprint, feature)

    def latest(self, dictionary: str, fingerprint: str) -> tuple[Label, ...]:
        """Each rater's latest word on each feature, the newest first."""
        return self._latest("dictionary = ? AND fingerprint = ?", dictionary, fingerprint)

    def current(self, dictionary: str, fingerprint: str) -> dict[int, str]:
        """The label of each feature that has one: of whoever wrote last."""
        found: dict[int, str] = {}
        for label in self.latest(dictionary, fingerprint):
            if label.label:
                found.setdefault(label.feature, label.label)
        return found

    def agreement(self, dictionary: str, fingerprint: str) -> Agreement:
        """How far the raters agree."""
        ratings: dict[int, dict[str, int]] = defaultdict(dict)
        for label in self.latest(dictionary, fingerprint):
            if label.rating is not None:
                ratings[label.feature][label.rater] = label.rating
        return agreement(ratings)

    def put(self, name: str, dictionary: str, feature: int, *, member: bool) -> None:
        """Put a feature on a list, or take it off."""
        require(0 < len(name) <= 60, f"the list's name has {len(name)} characters: 1 to 60")
        with self._open() as db:
            sql = "INSERT INTO lists (name, dictionary, feature, member, at) VALUES (?, ?, ?, ?, ?)"
            db.execute(sql, (name, dictionary, feature, int(member), _now()))

    def lists(self, dictionary: str) -> dict[str, tuple[int, ...]]:
        """The features on each list, in order of number."""
        sql = "SELECT name, feature, member FROM lists WHERE dictionary = ? ORDER BY id"
        members: dict[str, set[int]] = defaultdict(set)
        for name, feature, member in self._rows(sql, dictionary):
            (members[name].add if member else members[name].discard)(feature)
        return {name: tuple(sorted(features)) for name, features in members.items() if features}

    def save_view(self, name: str, dictionary: str, query: str) -> None:
        """Keep a query under a name; the same name again replaces what it shows."""
        require(0 < len(name) <= 60, f"the view's name has {len(name)} characters: 1 to 60")
        require(len(query) <= 4000, f"the query has {len(query)} characters: at most 4,000")
        with self._open() as db:
            sql = "INSERT INTO views (name, dictionary, query, at) VALUES (?, ?, ?, ?)"
            db.execute(sql, (name, dictionary, query, _now()))

    def views(self, dictionary: str) -> tuple[View, ...]:
        """The saved views, the latest of each name, in order of name."""
        sql = "SELECT name, dictionary, query, at FROM views WHERE dictionary = ? ORDER BY id"
        found = {row[0]: View(*row) for row in self._rows(sql, dictionary)}
        return tuple(found[name] for name in sorted(found))

    def lines(self) -> Iterator[str]:
        """Everything ever stored, one JSON object a line: labels, then lists, then views, in order of time."""
        kinds = {"label": [field.name for field in fields(Label)]}
        kinds |= {"list": ["name", "dictionary", "feature", "member", "at"], "view": [f.name for f in fields(View)]}
        for kind, names in kinds.items():
            for row in self._rows(f"SELECT {', '.join(names)} FROM {kind}s ORDER BY id"):
                yield json.dumps({"kind": kind, **dict(zip(names, row, strict=True))}, ensure_ascii=False)

    def to_jsonl(self, path: Path) -> None:
        """Write `lines` to a file, whole or not at all."""
        write_text(path, "".join(f"{line}\n" for line in self.lines()))

    def _latest(self, condition: str, *values: str | int) -> tuple[Label, ...]:
        names = ", ".join(field.name for field in fields(Label))
        newest = f"SELECT max(id) FROM labels WHERE {condition} GROUP BY feature, rater"
        sql = f"SELECT {names} FROM labels WHERE id IN ({newest}) ORDER BY id DESC"
        return tuple(Label(*row) for row in self._rows(sql, *values))

    def _rows(self, sql: str, *values: str | int) -> list[tuple]:
        if not self.path.exists():
            return []
        with self._open() as db:
            return db.execute(sql, values).fetchall()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=WAIT_SECONDS)) as db:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                for statement in SCHEMA.split(";"):
                    db.execute(statement)
                with db:
                    yield db
        except sqlite3.DatabaseError as error:
            raise DamagedError(
                f"{self.path} cannot be used ({error}): put back a whole copy, or move it away"
            ) from error


def agreement(ratings: Mapping[int, Mapping[str, int]]) -> Agreement:
    """How far raters agree: `ratings` of each feature, by rater."""
    units = [list(of_one.values()) for of_one in ratings.values() if len(of_one) > 1]
    raters = {rater for of_one in ratings.values() if len(of_one) > 1 for rater in of_one}
    values = [value for unit in units for value in unit]
    if not values:
        return Agreement(0, len(raters), None, None)
    within = [abs(a - b) for unit in units for a, b in combinations(unit, 2)]
    observed = sum(_apart(unit) / (len(unit) - 1) for unit in units) / len(values)
    expected = _apart(values) / (len(values) * (len(values) - 1))
    alpha = 1 - observed / expected if expected else None
    return Agreement(len(units), len(raters), sum(d == 0 for d in within) / len(within), alpha)


def _apart(values: Sequence[int]) -> float:
    """Sum of the squared differences of all ordered pairs."""
    return 2.0 * (len(values) * sum(value * value for value in values) - sum(values) ** 2)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
