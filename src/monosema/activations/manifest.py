"""The manifest: what a store was made from, and what each of its shards should be.

    manifest.json   model, corpus, sites, config | shards so far: rows, bytes, checksum, left out | fingerprint

It is rewritten, atomically, after each shard: the shards that it lists are whole, and a harvest goes
on with the first that it does not list. The fingerprint covers everything else in the file.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monosema.activations.config import HarvestConfig
from monosema.activations.passes import Excluded
from monosema.core.config import from_json, to_json
from monosema.core.errors import ConfigError, DamagedError, MismatchError
from monosema.core.fingerprints import of_bytes
from monosema.core.runs import read_json, write_json

NAME = "manifest.json"
FORMAT = "monosema activations 2"


@dataclass(frozen=True)
class SiteRecord:
    """A site, and the largest norm of a row there that is no outlier (None until the first shard is whole,
    and for a store that keeps outliers)."""

    name: str
    width: int
    norm_limit: float | None


@dataclass(frozen=True)
class ShardRecord:
    """One whole shard; `excluded` are the positions of its blocks that it leaves out."""

    file: str
    rows: int
    bytes: int
    checksum: str
    excluded: Excluded


@dataclass(frozen=True)
class Manifest:
    """A store, or as much of it as there is. `n_shards` says how many it will have."""

    format: str
    model_name: str
    model_fingerprint: str
    corpus_fingerprint: str
    config: HarvestConfig
    sites: tuple[SiteRecord, ...]
    n_blocks: int
    context: int
    n_shards: int
    shards: tuple[ShardRecord, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Of everything in here, the shards' checksums included."""
        return of_bytes([json.dumps(to_json(self), sort_keys=True).encode()])

    @property
    def widths(self) -> dict[str, int]:
        return {site.name: site.width for site in self.sites}

    @property
    def limits(self) -> dict[str, float]:
        return {site.name: site.norm_limit for site in self.sites if site.norm_limit is not None}

    @property
    def blocks_per_shard(self) -> int:
        return self.config.blocks_per_shard(self.context)

    def with_limits(self, limits: dict[str, float]) -> "Manifest":
        return replace(self, sites=tuple(replace(site, norm_limit=limits[site.name]) for site in self.sites))

    def save(self, folder: Path) -> None:
        """Write manifest.json into `folder`."""
        data: Any = to_json(self)
        write_json(folder / NAME, {**data, "fingerprint": self.fingerprint})


def read_manifest(folder: Path) -> Manifest:
    """The manifest in `folder`. Raises RunError when there is none, DamagedError when it is not as it was written."""
    path = folder / NAME
    data = read_json(path)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise DamagedError(
            f"{path} is no manifest of a store of activations that this version reads ('{FORMAT}'): "
            "harvest again into a new folder"
        )
    written = data.pop("fingerprint", None)
    try:
        manifest = from_json(Manifest, data, "manifest")
    except ConfigError as error:
        raise DamagedError(f"{path} was edited ({error}): harvest again into a new folder") from error
    if manifest.fingerprint != written:
        raise DamagedError(f"{path} was edited: its fingerprint differs. Harvest again into a new folder")
    return manifest


def require_same(there: Manifest, asked: Manifest, folder: Path) -> None:
    """Raise MismatchError, in words, unless the store `there` is the one that is `asked` for."""
    remedy = "harvest into another folder, or remove this one"
    if there.model_fingerprint != asked.model_fingerprint:
        was, now = f"{there.model_fingerprint} ({there.model_name})", f"{asked.model_fingerprint} ({asked.model_name})"
        raise MismatchError(f"the store in {folder} was harvested from model {was}, this is {now}: {remedy}")
    if there.corpus_fingerprint != asked.corpus_fingerprint:
        was, now = there.corpus_fingerprint, asked.corpus_fingerprint
        raise MismatchError(f"the store in {folder} was harvested from corpus {was}, this is {now}: {remedy}")
    if there.widths != asked.widths:
        was, now = ", ".join(there.widths), ", ".join(asked.widths)
        raise MismatchError(f"the store in {folder} holds {was}; asked for {now}: {remedy}")
    was, now = _settings(there), _settings(asked)
    for name in was:
        if was[name] != now[name]:
            raise MismatchError(
                f"the store in {folder} was harvested with {name} {was[name]}, not {now[name]}: {remedy}"
            )


def _settings(manifest: Manifest) -> dict[str, Any]:
    config: Any = to_json(manifest.config)
    return {**config, "n_blocks": manifest.n_blocks, "context": manifest.context}
