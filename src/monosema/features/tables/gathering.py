"""One pass of a model over the text: what fires where, how strongly, and to what effect by first order.

    blocks --forward, backward--> activations, gradients --encode--> (feature, pos, act, attr)   a chunk a file

All dictionaries of one model share the pass. A chunk that is there for all of them is not made again.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from monosema.core.errors import DataError
from monosema.features.effects.gradients import contributions, sensitivity
from monosema.features.effects.subjects import Dictionary, Model, why_no_loss_effect
from monosema.features.tables.database import Columns, Database, rows_of
from monosema.features.tables.text import TableText

PASSES_A_CHUNK = 4


def n_chunks(text: TableText, batch_tokens: int) -> int:
    """How many chunks the text comes to."""
    return -(-text.n_blocks // (PASSES_A_CHUNK * _batch(text, batch_tokens)))


def chunk_path(folder: Path, number: int) -> Path:
    """Where a chunk is kept."""
    return folder / f"chunk-{number:05d}.parquet"


def gather(
    model: Model,
    dictionaries: Mapping[str, tuple[Dictionary, Path]],
    text: TableText,
    batch_tokens: int,
    database: Database,
    advance: Callable[[int], None],
) -> None:
    """Write every chunk of every dictionary (each with its folder); `advance` is told how many are whole."""
    size = _batch(text, batch_tokens)
    for number in range(n_chunks(text, batch_tokens)):
        paths = {name: chunk_path(folder, number) for name, (_, folder) in dictionaries.items()}
        if not all(path.exists() for path in paths.values()):
            first = number * PASSES_A_CHUNK * size
            starts = range(first, min(first + PASSES_A_CHUNK * size, text.n_blocks), size)
            parts = [_pass(model, dictionaries, text, start, min(start + size, text.n_blocks)) for start in starts]
            for name, path in paths.items():
                given = {k: np.concatenate([part[name][k] for part in parts]) for k in parts[0][name]}
                database.write(path, "SELECT feature, pos, act, attr FROM given", given)
        advance(number + 1)


def _batch(text: TableText, batch_tokens: int) -> int:
    return max(1, batch_tokens // text.context)


def _pass(
    model: Model, dictionaries: Mapping[str, tuple[Dictionary, Path]], text: TableText, start: int, stop: int
) -> dict[str, Columns]:
    """The entries of some blocks, by dictionary, in order of place."""
    reads = [site for dictionary, _ in dictionaries.values() for site in dictionary.reads]
    able = {
        name: dictionary for name, (dictionary, _) in dictionaries.items() if not why_no_loss_effect(dictionary.writes)
    }
    writes = [site for dictionary in able.values() for site in dictionary.writes]
    found = sensitivity(model, text.blocks(start, stop), reads, writes)
    places = found.part.places + start * text.context
    entries: dict[str, Columns] = {}
    for name, (dictionary, _) in dictionaries.items():
        codes = found.part.codes(dictionary)
        if not bool(torch.isfinite(codes.values).all()):
            raise DataError(f"dictionary '{name}' has activations that are not finite")
        attr = (
            contributions(dictionary, codes, found.gradients)
            if name in able
            else torch.full_like(codes.values, torch.nan)
        )
        entries[name] = {
            "feature": codes.indices.numpy().astype(np.uint32),
            "pos": places[codes.rows()].numpy().astype(np.uint32),
            "act": codes.values.numpy(),
            "attr": attr.numpy(),
        }
    return entries


def sort_entries(folder: Path, work: Path, chunks: int, database: Database) -> Path:
    """Write acts_by_pos.parquet and acts.parquet to `folder`; the sorted entries with their effects to `work`."""
    spilt = rows_of([chunk_path(work, i) for i in range(chunks)])
    ordered = work / "sorted.parquet"
    if not ordered.exists():
        database.write(ordered, f"SELECT feature, pos, act, attr FROM {spilt} ORDER BY feature, pos")
    if not (folder / "acts_by_pos.parquet").exists():
        database.write(folder / "acts_by_pos.parquet", f"SELECT pos, feature, act FROM {spilt} ORDER BY pos, feature")
    if not (folder / "acts.parquet").exists():
        database.write(folder / "acts.parquet", f"SELECT feature, pos, act FROM {rows_of([ordered])}")
    return ordered
