"""Harvest: a model's activations on a corpus, written to disk once and read as often as needed.

    tokens --block 0..511--> 00000.safetensors     each shard a function of (model, tokens, config)
           --512..1023-----> 00001.safetensors     and of its own blocks alone
           ...               manifest.json         rewritten after each shard

That is why a harvest that was killed resumes at the last whole shard and ends with the same bytes.
Only the outlier limit passes from one shard to the others: the first shard sets it.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from monosema.activations.config import HarvestConfig
from monosema.activations.manifest import FORMAT, NAME, Manifest, ShardRecord, SiteRecord, read_manifest, require_same
from monosema.activations.passes import (
    Excluded,
    Model,
    Pass,
    Tokens,
    inliers,
    limits,
    require_tokens,
    resolve_sites,
    run,
)
from monosema.activations.rows import DTYPES, Rows, empty, row_bytes, write
from monosema.activations.shards import check_size, write_shard
from monosema.activations.store import ActivationStore, open_store
from monosema.core.errors import DamagedError, DataError, RunError
from monosema.core.progress import progress


def harvest(
    model: Model, tokens: Tokens, sites: Sequence[str], out: Path, config: HarvestConfig | None = None
) -> ActivationStore:
    """The store in `out` of the activations of `model` at `sites`, one row per kept position of `tokens`.

    Several sites are read in one pass. A harvest that was interrupted goes on where it stopped; shards
    that are missing or truncated are made again; a finished store is opened as it is.

    Raises MismatchError when `out` holds a store of something else, DataError for activations that are
    not finite or do not fit the dtype, RunError when the disk is full (what is there stays, and resumes).
    """
    config = config or HarvestConfig()
    manifest = _plan(model, tokens, sites, config)
    if (out / NAME).exists():
        there = read_manifest(out)
        require_same(there, manifest, out)
        manifest = there
    todo = [i for i in range(manifest.n_shards) if not _is_whole(out, manifest, i)]
    _require_room(out, manifest, len(todo))
    _sweep(out)
    with progress("harvest", tokens.n_blocks, "block") as bar:
        bar.advance(tokens.n_blocks - sum(len(_blocks(manifest, i)) for i in todo))
        for shard in todo:
            manifest = _make(model, tokens, manifest, shard, out, bar.advance)
            manifest.save(out)
    return open_store(out)


def _plan(model: Model, tokens: Tokens, sites: Sequence[str], config: HarvestConfig) -> Manifest:
    widths = resolve_sites(model, sites)
    require_tokens(model, tokens.context, tokens.d_vocab)
    if tokens.n_blocks == 0:
        raise DataError("the corpus holds no token blocks: there is nothing to harvest")
    return Manifest(
        format=FORMAT,
        model_name=model.name,
        model_fingerprint=model.fingerprint,
        corpus_fingerprint=tokens.fingerprint,
        config=config,
        sites=tuple(SiteRecord(name, width, None) for name, width in widths.items()),
        n_blocks=tokens.n_blocks,
        context=tokens.context,
        n_shards=-(-tokens.n_blocks // config.blocks_per_shard(tokens.context)),
    )


def _is_whole(out: Path, manifest: Manifest, shard: int) -> bool:
    if shard >= len(manifest.shards):
        return False
    record = manifest.shards[shard]
    try:
        check_size(out / record.file, record.bytes)
    except DamagedError:
        return False
    return True


def _blocks(manifest: Manifest, shard: int) -> range:
    start = shard * manifest.blocks_per_shard
    return range(start, min(start + manifest.blocks_per_shard, manifest.n_blocks))


def _make(
    model: Model, tokens: Tokens, manifest: Manifest, shard: int, out: Path, advance: Callable[[int], None]
) -> Manifest:
    """Write one shard; the manifest with its record."""
    parts = []
    for part in _passes(model, tokens, manifest, shard):
        parts.append(part)
        advance(part.n_blocks)
    if manifest.config.exclude_outliers and not manifest.limits:
        manifest = manifest.with_limits(first_limits(parts, manifest.config))
    rows, excluded = _inlying_rows(parts, manifest, tokens)
    file = f"{shard:05d}.safetensors"
    size, checksum = write_shard(out / file, rows)
    record = ShardRecord(file, len(rows), size, checksum, excluded)
    return replace(manifest, shards=(*manifest.shards[:shard], record, *manifest.shards[shard + 1 :]))


def _passes(model: Model, tokens: Tokens, manifest: Manifest, shard: int) -> Iterator[Pass]:
    blocks, step = _blocks(manifest, shard), manifest.config.batch_size
    for start in range(blocks.start, blocks.stop, step):
        yield run(model, tokens.blocks(start, min(start + step, blocks.stop)), manifest.widths, manifest.config, tokens)


def first_limits(parts: Sequence[Pass], config: HarvestConfig) -> dict[str, float]:
    """The outlier limits that the first shard sets. Raises DataError when it has no usable row."""
    norms = {site: torch.cat([part.usable_norms(site) for part in parts]) for site in parts[0].norms}
    if not len(next(iter(norms.values()))):
        raise DataError(
            "the first blocks of the corpus hold nothing but BOS and padding: there is no norm to compare with"
        )
    return limits(norms, config.outlier_factor)


def _inlying_rows(parts: list[Pass], manifest: Manifest, tokens: Tokens) -> tuple[Rows, Excluded]:
    indices = [inliers(part, manifest.limits, manifest.config, tokens) for part in parts]
    rows = empty(sum(map(len, indices)), manifest.widths, DTYPES[manifest.config.dtype])
    excluded, at = Excluded(), 0
    for part, index in zip(parts, indices, strict=True):
        write(rows, at, part.rows.take(index).fields())
        at += len(index)
        excluded += part.excluded + Excluded(outlier_norm=len(part.rows) - len(index))
    return rows, excluded


def _require_room(out: Path, manifest: Manifest, n_shards: int) -> None:
    """Raise RunError when the shards to come, with every position kept, would not fit on the disk."""
    positions = n_shards * min(manifest.blocks_per_shard, manifest.n_blocks) * manifest.context
    need = positions * row_bytes(manifest.widths, DTYPES[manifest.config.dtype])
    out.mkdir(parents=True, exist_ok=True)
    if need > (free := shutil.disk_usage(out).free):
        raise RunError(
            f"the harvest may need {need / 1e9:,.1f} GB in {out}, {free / 1e9:,.1f} GB is free: "
            "free some, harvest fewer tokens or sites, or choose another folder"
        )


def _sweep(out: Path) -> None:
    """Remove the half-written files of a harvest that was killed."""
    for path in out.glob(".*.tmp"):
        path.unlink()
