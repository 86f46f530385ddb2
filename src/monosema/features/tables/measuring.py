"""The effects that need passes of their own: importance of some features, and effects at their examples.

    for each batch of blocks, whatever dictionary:
        clean pass                                          once
        (feature, block) drawn by size   total, direct, and a random direction's total   -> measured-*.parquet
        (feature, block) of examples     total and direct at each token of the window    -> effects-*.parquet

The random direction has the norm of the feature's own and is taken off where, and as strongly as, the
feature fires: what a direction does that nobody looked for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from monosema.core.seeding import derive
from monosema.dictionaries import Dictionary
from monosema.features.effects.estimates import inclusion, systematic
from monosema.features.effects.random_directions import random_like
from monosema.features.effects.scene import Route, Scene
from monosema.features.effects.subjects import Model, why_no_direct_effect, why_no_loss_effect
from monosema.features.tables.config import BuildConfig
from monosema.features.tables.database import Database, rows_of
from monosema.features.tables.showing import Shown, effect_rows, write_effects
from monosema.features.tables.text import TableText

TOKENS_AT_ONCE = 4096


@dataclass(frozen=True)
class Draw:
    """(feature, block) pairs whose effects are summed, in order of block, each with its chance to be drawn
    and its effect to first order."""

    feature: np.ndarray
    block: np.ndarray
    chance: np.ndarray
    attr: np.ndarray

    def first_order(self, features: np.ndarray) -> np.ndarray:
        """The sum over the corpus of each feature's first-order effect, estimated from the pairs drawn."""
        sums = np.zeros(len(features))
        np.add.at(sums, np.searchsorted(features, self.feature), self.attr / self.chance)
        return sums


@dataclass(frozen=True)
class Work:
    """What is to be measured of one dictionary. `folder` holds acts_by_pos.parquet, `out` takes the results;
    `randomly`: also a random direction in the place of each feature."""

    dictionary: Dictionary
    folder: Path
    out: Path
    draw: Draw
    shown: Shown
    randomly: bool = True

    def has_any(self, start: int, stop: int, context: int) -> bool:
        """Whether anything is measured in the blocks start .. stop - 1."""
        drawn = (self.draw.block >= start) & (self.draw.block < stop)
        return bool(drawn.any()) or bool(len(self.shown.within(start * context, stop * context).pos))


def draw_contexts(features: np.ndarray, ordered: Path, context: int, config: BuildConfig, database: Database) -> Draw:
    """For each of `features` the contexts on which it is measured, drawn by the sum of its activations.

    `ordered` has the sorted entries.
    """
    if not len(features):
        return Draw(*(np.zeros(0, dtype=kind) for kind in (np.int64, np.int64, np.float64, np.float64)))
    named = ", ".join(str(int(f)) for f in features)
    rows = database.fetch(
        f"SELECT feature, pos // {context} AS block, sum(act::DOUBLE) AS size, sum(attr::DOUBLE) AS attr "
        f"FROM {rows_of([ordered])} "
        f"WHERE feature IN ({named}) GROUP BY feature, pos // {context} ORDER BY feature, block"
    )
    feature, block, size = rows["feature"].astype(np.int64), rows["block"].astype(np.int64), rows["size"]
    parts = []
    for f in np.unique(feature):
        its = (feature == f).nonzero()[0]
        chances = inclusion(size[its], config.n_contexts)
        start = derive(config.seed, "contexts", int(f)) / 2**63
        drawn = systematic(chances, start)
        parts.append(np.stack([feature[its[drawn]], block[its[drawn]], chances[drawn], rows["attr"][its[drawn]]]))
    pairs = np.concatenate(parts, axis=1)
    pairs = pairs[:, np.lexsort((pairs[0], pairs[1]))]
    return Draw(pairs[0].astype(np.int64), pairs[1].astype(np.int64), pairs[2], pairs[3])


def n_batches(text: TableText, config: BuildConfig) -> int:
    """How many batches of blocks there are."""
    return -(-text.n_blocks // _batch(text, config))


def _batch(text: TableText, config: BuildConfig) -> int:
    return max(1, config.batch_tokens // text.context)


def measure(
    model: Model,
    works: Mapping[str, Work],
    text: TableText,
    config: BuildConfig,
    database: Database,
    advance: Callable[[int], None],
) -> None:
    """Write every batch of every dictionary; those that are there are not made again."""
    able = {name: work for name, work in works.items() if not why_no_loss_effect(work.dictionary.writes)}
    geometries = {name: (work.dictionary.writes, work.dictionary.widths_out) for name, work in able.items()}
    routes = {geometry: Route.of(model, *geometry) for geometry in dict.fromkeys(geometries.values())}
    for number in range(n_batches(text, config)):
        start = number * _batch(text, config)
        stop = min(start + _batch(text, config), text.n_blocks)
        scenes: dict[object, Scene] = {}
        for name, work in able.items():
            measured, effects = (work.out / f"{kind}-{number:05d}.parquet" for kind in ("measured", "effects"))
            if measured.exists() and effects.exists():
                continue
            query = "SELECT feature, document, total, direct, random FROM given"
            if not work.has_any(start, stop, text.context):
                database.write(measured, query, summed([], [], len(text.names)))
                write_effects(effects, [], database)
                continue
            if geometries[name] not in scenes:
                scenes[geometries[name]] = Scene.of(routes[geometries[name]], text.blocks(start, stop))
            batch = _Batch(scenes[geometries[name]], work, text, (start, stop), database)
            database.write(measured, query, batch.sums(config.seed))
            write_effects(effects, batch.effects(), database)
        advance(number + 1)


def summed(keys: Sequence[np.ndarray], effects: Sequence[np.ndarray], n_documents: int) -> dict[str, np.ndarray]:
    """The three effects summed by feature and document; a key is feature * n_documents + document."""
    key = np.concatenate(keys) if keys else np.zeros(0, dtype=np.int64)
    unique, where = np.unique(key, return_inverse=True)
    total, direct, random = (
        np.bincount(where, row, minlength=len(unique)).astype(np.float64)
        for row in (np.concatenate(effects, axis=1) if effects else np.zeros((3, 0)))
    )
    return {
        "feature": (unique // n_documents).astype(np.uint32),
        "document": (unique % n_documents).astype(np.uint32),
        "total": total,
        "direct": direct,
        "random": random,
    }


class _Batch:
    """One dictionary on one batch of blocks."""

    def __init__(self, scene: Scene, work: Work, text: TableText, blocks: tuple[int, int], database: Database) -> None:
        self.scene, self.work, self.text = scene, work, text
        self.start, self.stop = blocks
        self.direct = not why_no_direct_effect(work.dictionary.writes)
        low, high = (block * text.context for block in blocks)
        rows = database.fetch(
            f"SELECT feature, pos, act FROM {rows_of([work.folder / 'acts_by_pos.parquet'])} "
            "WHERE pos >= ? AND pos < ? ORDER BY feature, pos",
            (low, high),
        )
        place = rows["pos"].astype(np.int64) - low
        self.keys = self._key(rows["feature"].astype(np.int64), place // text.context)
        self.place, self.act = place % text.context, rows["act"]

    def _key(self, feature: np.ndarray, block: np.ndarray) -> np.ndarray:
        """Entries and pairs by feature, then by block of the batch."""
        return feature * (self.stop - self.start) + block

    def _acts(self, feature: np.ndarray, block: np.ndarray) -> Float[Tensor, "pair seq"]:
        acts = torch.zeros(len(feature), self.text.context)
        keys = self._key(feature, block)
        low, high = np.searchsorted(self.keys, keys), np.searchsorted(self.keys, keys, side="right")
        for i, (a, b) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
            acts[i, torch.from_numpy(self.place[a:b])] = torch.from_numpy(self.act[a:b])
        return acts

    def sums(self, seed: int) -> dict[str, np.ndarray]:
        """The weighted effects of the drawn pairs, summed by feature and document."""
        draw = self.work.draw
        its = ((draw.block >= self.start) & (draw.block < self.stop)).nonzero()[0]
        size = max(1, TOKENS_AT_ONCE // self.text.context)
        parts = [self._pairs(its[i : i + size], seed) for i in range(0, len(its), size)]
        return summed([key for key, _ in parts], [effects for _, effects in parts], len(self.text.names))

    def _pairs(self, its: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """(feature and document as one number, the three effects over the chance) of every token of some pairs."""
        draw, device = self.work.draw, self.scene.tokens.device
        feature, block = draw.feature[its], draw.block[its] - self.start
        acts, b = self._acts(feature, block).to(device), torch.from_numpy(block).to(device)
        rows = self._directions(feature).to(device)
        total, nothing = self.scene.total(b, acts, rows), torch.zeros_like(acts)
        direct = self.scene.direct(b, acts, rows) if self.direct else nothing
        random = nothing
        if self.work.randomly:
            random = self.scene.total(b, acts, random_like(rows.cpu(), feature.tolist(), seed).to(device))
        owner = self.text.documents[self.start : self.stop][torch.from_numpy(block)].numpy()
        key = feature[:, None] * len(self.text.names) + owner
        counts = self.text.counted[self.start : self.stop][torch.from_numpy(block)].numpy()
        effects = np.stack([x.cpu().double().numpy() / draw.chance[its][:, None] for x in (total, direct, random)])
        return key[counts], effects[:, counts]

    def _directions(self, feature: np.ndarray) -> Float[Tensor, "pair d_out"]:
        rows = self.work.dictionary.W_dec
        return rows[torch.from_numpy(feature).to(rows.device)].detach().float()

    def effects(self) -> list[dict[str, object]]:
        """The rows of effects.parquet for the examples in these blocks."""
        shown = self.work.shown.within(self.start * self.text.context, self.stop * self.text.context)
        found: list[dict[str, object]] = []
        for part in shown.pairs(self.text.context, max(1, TOKENS_AT_ONCE // self.text.context)):
            block = part.block - self.start
            acts = self._acts(part.feature, block)
            direct = self._directions(part.feature) if self.direct else None
            found += effect_rows(self.scene, part, block, acts, self._directions(part.feature), direct, self.text)
        return found
