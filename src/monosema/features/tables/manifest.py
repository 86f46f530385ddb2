"""table.json: what a table is of, how far its build has come, what it found.

While a build goes on the state is "building", with the stage and how much of it is done, so that what
is there can be looked at. The file is replaced whole.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monosema.core.config import to_json
from monosema.core.findings import Finding
from monosema.core.runs import read_json, write_json

FORMAT = 1

MADE = (
    "tokens.safetensors",
    *(f"{name}.parquet" for name in ("text", "contexts", "documents", "acts", "acts_by_pos", "features")),
    *(f"{name}.parquet" for name in ("lists", "examples", "effects", "neighbours")),
)
"""The files of a table; a build replaces nothing else in its folder."""


@dataclass
class Manifest:
    """table.json of one dictionary's table. `about` is all of it that does not change while building."""

    folder: Path
    about: Mapping[str, Any]
    found: dict[str, Any] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        """Where an unfinished build keeps its parts."""
        return self.folder / ".work"

    def is_done(self) -> bool:
        """Whether a whole table of exactly this is there."""
        return self._there() == "done" and all((self.folder / name).exists() for name in MADE)

    def prepare(self) -> None:
        """Go on with an unfinished build of the same, or begin anew."""
        if self._there() != "building":
            shutil.rmtree(self.work, ignore_errors=True)
            shutil.rmtree(self.folder / "control", ignore_errors=True)
            for name in MADE:
                (self.folder / name).unlink(missing_ok=True)
        for leftover in self.folder.rglob(".*.tmp"):
            leftover.unlink()
        self.work.mkdir(parents=True, exist_ok=True)
        self.at("text", 0, 1)

    def at(self, stage: str, done: int, total: int) -> None:
        """Say how far the build is."""
        state = {"state": "building", "stage": stage, "done": done, "total": total}
        write_json(self.folder / "table.json", {"format": FORMAT, **state, **self.about, **self.found})

    def finish(self, findings: Sequence[Finding]) -> None:
        """Say that the table is whole, and remove what only the build needed."""
        said = {"state": "done", "stage": "", "done": 1, "total": 1}
        findings_as_json = [to_json(finding) for finding in findings]
        whole = {"format": FORMAT, **said, **self.about, **self.found, "findings": findings_as_json}
        write_json(self.folder / "table.json", whole)
        shutil.rmtree(self.work, ignore_errors=True)

    def _there(self) -> str:
        """The state of what is in the folder; '' when it is not of the same, or not a table."""
        path = self.folder / "table.json"
        if not path.exists():
            return ""
        there = read_json(path)
        same = isinstance(there, dict) and there.get("format") == FORMAT
        return there["state"] if same and all(there.get(k) == v for k, v in self.about.items()) else ""
