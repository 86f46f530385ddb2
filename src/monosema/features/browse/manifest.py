"""table.json: what a table is of, and how far its build has come."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from monosema.core.config import from_json
from monosema.core.errors import ConfigError, DamagedError, RunError
from monosema.core.findings import Finding
from monosema.core.runs import read_json

FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """A table's own description. `effects` says for each effect why it is not there; '' where it is."""

    state: str
    stage: str
    done: int
    total: int
    dictionary: str
    architecture: str
    n_features: int
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    model_fingerprint: str
    corpus_fingerprint: str
    dictionary_fingerprint: str
    n_tokens: int
    n_documents: int
    context: int
    n_dead: int
    groups: tuple[str, ...]
    effects: Mapping[str, str]
    findings: tuple[Finding, ...]

    @property
    def building(self) -> bool:
        """Whether the build is still going on."""
        return self.state == "building"


_WHILE_BUILDING: dict[str, Any] = {
    "n_tokens": 0,
    "n_documents": 0,
    "n_dead": 0,
    "groups": (),
    "effects": {},
    "findings": (),
    "corpus_fingerprint": "",
}
"""What a build knows only at its end."""


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a table folder.

    Raises RunError when it is missing or of another format, saying how to rebuild; DamagedError when it
    is not what was written.
    """
    path = folder / "table.json"
    again = "build it again with `monosema features RUN`"
    data = read_json(path)
    if not isinstance(data, dict) or not isinstance(data.get("format"), int):
        raise DamagedError(f"{path} is not a feature table's manifest: {again}")
    if data["format"] < FORMAT:
        raise RunError(f"{folder} is a table of format {data['format']}, this version reads {FORMAT}: {again}")
    if data["format"] > FORMAT:
        newer = "open it with the monosema that wrote it, or a newer one"
        raise RunError(f"{folder} is a table of format {data['format']}, this version reads {FORMAT}: {newer}")
    given = {**(_WHILE_BUILDING if data.get("state") == "building" else {}), **data}
    missing = [field.name for field in fields(Manifest) if field.name not in given]
    if missing:
        raise DamagedError(f"{path} lacks {', '.join(missing)}: {again}")
    values: dict[str, Any] = {field.name: given[field.name] for field in fields(Manifest)}
    try:
        values["findings"] = tuple(from_json(Finding, finding) for finding in values["findings"])
    except ConfigError as error:
        raise DamagedError(f"{path} holds a finding that does not read ({error}): {again}") from error
    for key in ("reads", "writes", "groups"):
        values[key] = tuple(values[key])
    return Manifest(**values)
